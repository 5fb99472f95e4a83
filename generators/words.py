"""Words that do not run out: closed compounds of two English words (`lampwright`), most of which no dictionary has.

No word is another's plural or differs from it only in case, and no two pairs of parts make the same word. A small
sample draws from few words, a large one from all; the ones that matter come from the first few, whatever the size.
"""

from functools import cache, lru_cache

import numpy as np

from nl_tasks.generators.randomness import Stream
from nl_tasks.generators.tokenizers import Tokenizer

CHUNK = 8192

HEADS = """
acorn acre alder amber anvil apple apron arbor arrow aspen autumn badger balsam barley barrel basalt basin basket
beacon beaver beech beetle bell berry birch bishop bitter blossom boulder bower bracken bramble brass brazen brick
bridge bright bronze brook broom bubble bucket buckle burrow butter button cabin cable canal candle canvas canyon
carbon cargo carpet castle cattle cavern cedar cellar chalk chapel charcoal cherry chestnut chimney cinder circle
citrus clover cobalt cobble cobweb comet copper coral cotton cradle cranberry crane crater cricket crimson crocus crow
crown crystal cypress daisy damask dapple desert diamond dolphin donkey dragon drift dust eagle ebony echo ember
emerald engine evening falcon feather fennel ferry fiddle field finch fire flannel flint flower forest fossil fountain
fox frost fungus galley garden garlic garnet gingham ginger glacier glade goblin goose gossamer granite grape grass
gravel hammer hamlet harbour hazel heather hedge helmet hemlock heron hickory hollow honey hornet hunter iceberg
indigo ink insect iron island ivory ivy jackal jacket jasmine jasper jelly jewel jungle juniper kettle kingdom kitchen
kite kitten knight ladder lagoon lake lamb lamp lantern larch lark lattice laurel lavender leather lemon lichen lilac
lily linen linnet lizard lobster locust lotus lumber magnet mallow mango maple marble market marsh marten meadow melon
mercury meteor midnight mineral mint mirror mist molten monsoon moon morning mortar moss mountain mulberry mustard
myrtle nectar needle nettle night nutmeg oak oat ocean olive onion opal orange orchard orchid otter owl oyster paddle
palace panther paper parchment parsley pasture peach pearl pebble pepper petal pewter pigeon pillow pine planet
plaster plum pocket pond poplar poppy porcelain potter powder prairie pumpkin purple quarry quartz quill rabbit radish
rain raven reed ribbon river robin rocket rose rowan rubber ruby saddle saffron salmon salt sand sapphire satin
scarlet school season shadow shale sheep shell shepherd silk silver slate smoke snow sorrel sparrow spice spider
spindle spruce squirrel stable star steam steel stone storm straw sugar sulphur summer sun swallow swan sycamore
tallow tangle teak temple thicket thistle thunder tiger timber tinsel toffee topaz torch tower trellis tulip tundra
tunnel turnip turtle twig valley vanilla velvet village vine violet violin walnut walrus water wattle wax weather
whale wheat whisker willow winter wolf wool yarrow yellow zephyr
""".split()
TAILS = """
arch bank barge barn bark barrow bath beam bed bench bird blade block board boat bolt bone book boot bough bow bowl
box braid branch bread breeze brush bud bush cake cane cape cap cart case catch chain chair chart chase chest claw
clay cliff cloak clock cloth cloud coat coil comb cone cord cork corn cot court cove craft crate creek crest crook
crop cup curl dale dam dance dell den desk dial ditch dock dome door dove down drake dream drum duct dyer eave edge
elm ewe eye fair fall fan farm fawn fell fen fern file fin fish flag flake flame fleece flock flood floor flow flute
foal foam fold folk foot ford fork form fort frame fringe fruit fume gale game gap gate gauge gem gift girth glass
gleam glen glove glow gold gong gorge gown grain graph grate green grid grill groove grove guard guest guild gulf gull
gum gust hall halt hand harp hat hatch haven hawk head heap heart hearth heath herb herd hill hinge hive hold holm
home hood hoof hook hoop horn horse host house hound hue hull hut inn isle jar jaw jet joint jug keel keep key kiln
king kit knee knife knob knoll knot lace lad lance land lane latch lawn leaf ledge leg lens light limb line link lip
loaf lock lodge loft log look loom loop lord lute lynx maid mane mantle map mark mash mask mast mat maze mead mesh
mild mile mill mire mite moat mole mound mouse mouth mule neck nest net nib niche nook noon note notch nut oar orb ore
pad page pail pale pan park part paste patch path paw peak pearl peg pen perch pest pier pike pile pin pipe pit plait
plan plank plant plate plot plough plume point pole pool poppet porch port post pot pouch print prong prow pulse pump
quay quilt rack raft rail rake ram ramp range ray realm reef reel rest ridge rim ring rise road robe rock rod roof
room root rope route row rug run rung rush sack sail scale scarf scent scoop screen screw scroll seal seam seat seed
shade shaft shed shelf shield ship shire shirt shoal shoe shop shore shrine side sieve sill site skein skin skirt sky
sled sleeve slope smith snare soil song sound spade span spark spear spike spine spire splash spoke spool spoon spot
spout spray spring sprout spur staff stag stair stake stalk stall steed stem step stitch stock stool store stream
street stride string stroke stump surf swamp sweep tale tank tap tart tent thorn thread throat throne tide tile till
tip toe tomb tone tool tooth top torc track trade trail train trap tray tree trench tribe trough trout trove trunk tub
tube tune tusk twine vale valve van vat vault veil vein vent verse vest view voice wagon walk wall ward warp watch
wave way wear weave web wedge weed weight weir well wharf wheel whip whirl wick wing wire wood word worm wreath wren
wright yard yarn yoke zone
""".split()


@cache
def _all() -> np.ndarray:
    """All words in a fixed random order, object `[n]`."""
    made = [head + tail for head in HEADS for tail in TAILS]
    return np.array(made, dtype=object)[Stream("words").permutation(len(made))]


def capacity() -> int:
    """How many words there are."""
    return len(_all())


def words(count: int) -> np.ndarray:
    """The first `count` words of the fixed order, object `[count]`. Raises ValueError if there are not so many."""
    if count > capacity():
        raise ValueError(f"a text of this length needs {count} different words, there are {capacity()}")
    return _all()[:count]


def word_costs(count: int, tokenizer: Tokenizer) -> np.ndarray:
    """Tokens of the first `count` words, each with a space before it, int64 `[count]`."""
    chunks = [_chunk_costs(number, tokenizer) for number in range(-(-count // CHUNK))]
    return np.concatenate(chunks)[:count]


@lru_cache(maxsize=256)
def _chunk_costs(number: int, tokenizer: Tokenizer) -> np.ndarray:
    chunk = _all()[number * CHUNK : (number + 1) * CHUNK]
    return tokenizer.count_fragments([" " + word for word in chunk.tolist()])
