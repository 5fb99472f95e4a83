"""Names and items that do not run out: parts that combine freely, minted without repetition in a random order.

No name contains another: no first part ends with another first part, no last part begins with another last part
(the tests compare all of them), and every name of a kind has the same number of words.
"""

import numpy as np

from nl_tasks.generators.randomness import GOLDEN, Stream, scale

_TURNS = 3

SHE = """
Adela Agnes Alma Beatrix Bettina Bridget Camilla Cecily Clemence Cora Cressida Daphne Delia Dorothea Edwina Eleanor
Elspeth Esme Estelle Fenella Flora Frances Gemma Gertrude Ginevra Greta Gwendolen Harriet Hedwig Helen Hester Imogen
Ingrid Iris Isolde Ivy Jemima Jocelyn Josephine Judith Juniper Katrin Keziah Lavinia Leonie Letitia Lorna Lucinda
Lydia Mabel Magda Marguerite Matilda Mercy Mildred Minna Miriam Moira Muriel Nerys Nora Octavia Odette Olive Ottilie
Pamela Petra Philippa Phoebe Prudence Rhoda Rosalind Rowena Ruth Sabine Selma Sibyl Silvia Sophronia Tabitha Tess
Theresa Ursula Verity Vivian Wanda Wilma Winifred Yolanda Zelda
""".split()
HE = """
Adam Aldous Ambrose Anselm Archibald Arthur Barnaby Basil Bertram Caspar Cedric Clement Conrad Cornelius Crispin
Cuthbert Cyril Desmond Dietrich Duncan Edgar Edmund Egbert Elias Emrys Ephraim Eustace Ferdinand Florian Gabriel
Gareth Gideon Gilbert Godfrey Gregor Guy Harold Hartmut Hector Henrik Hilary Horace Hugh Ignatius Isaac Jacob Jasper
Jerome Jonas Joseph Julius Kenelm Konrad Lambert Laurence Leander Leopold Linus Lucas Magnus Malcolm Matthias Maurice
Mortimer Nathan Neville Norbert Oliver Orson Oscar Oswald Percival Peregrine Philip Quentin Ralph Raymond Reuben
Roderick Roland Rufus Rupert Samson Sebastian Sigmund Silas Simeon Stanley Theodore Thurstan Tobias Ulrich Valentine
Victor Walter Wilfred Xaver Zachary
""".split()
SURNAME_HEADS = """
Alder Ash Beck Birch Black Brad Bram Cald Carl Clay Copper Cran Dun East Elm Fair Farn Fen Flint Gold Grim Hal Hart
Hazel Holl Kel Lang Lind Marl Mill Nether Nor Oak Pen Quill Red Rook Sand Silver Stan Sten Thorn Under Wex Whit Win
Wolf Wool Yar
""".split()
SURNAME_TAILS = [
    "bourne",
    "brook",
    "bury",
    "cliffe",
    "combe",
    "dale",
    "field",
    "gate",
    "grave",
    "hurst",
    "land",
    "low",
    "man",
    "more",
    "pole",
    "ridge",
    "shaw",
    "stead",
]
PLACE_HEADS = """
Amber Arrow Barley Bell Bitter Bright Broad Broken Candle Cherry Cloud Coal Cold Cress Crooked Dapple Deep Drift Dusk
Eagle Ember Falcon Fern Fog Fox Frost Garnet Goose Green Heather Heron High Honey Ivory Kestrel Kings Lantern Lark
Linnet Long Maiden Maple Mist Moon Moss Otter Pebble Plum Quiet Raven Rose Rush Saffron Salt Shepherd Sorrel Spring
Star Stone Swallow Swan Thistle Thunder Timber Vine Wander Water Willow Winter Yellow
""".split()
PLACE_TAILS = """
bank barrow cross den fell ford glen ham holt lea marsh mere mouth well wick wold worth
""".split()
PLACE_KINDS = """
Abbey Arcade Bridge Castle Chapel Common Corner Cottages Docks Ferry Forge Fort Gardens Granary Green Harbour Hollow
Inn Island Junction Landing Lighthouse Lodge Manor Market Mill Observatory Orchard Pass Pier Priory Quarry Quay Square
Station Terrace Tollhouse Tower Vineyard Wharf
""".split()
ADJECTIVES = """
ancient angular battered bent blackened blue burnished carved chipped chubby clumsy coarse cracked crescent crimson
curved dainty dented dotted dull dusty elegant embossed engraved etched faded fancy filigreed flat fluted fragile
frosted gilded gleaming glossy green grooved heavy hexagonal hinged humble inlaid jagged knotted lacquered large
miniature modest mottled notched oblong ornate oval painted pale patched peculiar pierced pitted plain pleated
polished quaint ribbed rough rounded ruddy rustic scarlet scorched scratched shiny slender smooth speckled spiral
square squat stained stately striped sturdy tapered tarnished twisted unusual varnished violet waxed weathered wide
yellowed
""".split()
MATERIALS = """
alabaster amber ash bamboo beech birch bone brass bronze cedar chalk cherrywood china clay copper coral cork crystal
ebony elm enamel glass granite horn iron ivory jade jasper larch lead limestone maple marble mahogany nickel oak onyx
pearwood pewter pine porcelain quartz resin rosewood sandstone shell silver slate soapstone steel teak terracotta tin
walnut willow yew
""".split()
NOUNS = """
amulet anchor anklet badge basin beaker bell bookend bottle bowl bracelet brooch bucket buckle button candlestick
casket chalice charm cradle crown cup dagger dial dish doorknob earring egg figurine flask flute funnel goblet hammer
handle hairpin horseshoe hourglass inkwell jar jug key ladle lantern letterbox locket mask medallion mirror mortar mug
needle ornament paddle pendant pestle pipe pitcher plaque platter quill rattle ring rosette saucer sceptre seal shield
skewer snuffbox spoon statuette stopper sundial tablet tankard teapot thimble tray trowel vase weathervane whistle
""".split()


class Mint:
    """Mints the names of one kind; entity `e` has the same name whenever it is asked for, and no other has it.

    The digits of e, to the base of each part's size, choose the words. They are shuffled by a Feistel network: in
    turn, each digit is shifted by a keyed hash of the others, which can be undone and so keeps names apart.
    Entities that are alike in some way (every fourth, say) get names that are alike in none.
    """

    def __init__(self, stream: Stream, *parts: list[str]) -> None:
        self._words = [np.array(part, dtype=object) for part in parts]
        self._keys = stream.words(_TURNS, len(parts)).astype(np.uint64)
        self.capacity = int(np.prod([len(part) for part in parts]))

    def indices(self, entities: np.ndarray) -> list[np.ndarray]:
        """Which word of each part makes the names of `entities` (int64 `[n]`). Raises ValueError past capacity."""
        if entities.size and int(entities.max()) >= self.capacity:
            raise ValueError(f"a text of this length needs more than the {self.capacity} names there are of a kind")
        sizes = [len(words) for words in self._words]
        digits = list(np.unravel_index(entities, sizes))
        for keys in self._keys:
            for place, size in enumerate(sizes):
                others = np.zeros(len(entities), dtype=np.uint64)
                for digit in digits[:place] + digits[place + 1 :]:
                    others = _hash(others + digit.astype(np.uint64) + keys[place])
                digits[place] = (digits[place] + scale(others >> np.uint64(32), size)) % size
        return digits

    def names(self, indices: list[np.ndarray]) -> list[str]:
        """The words of `indices` joined by spaces, `[n]`."""
        columns = [words[index].tolist() for words, index in zip(self._words, indices)]
        return list(map(" ".join, zip(*columns)))


def _hash(values: np.ndarray) -> np.ndarray:
    """Spread every bit over the upper half: a multiplication by 2**64 / golden ratio on either side of a fold."""
    values = values * np.uint64(GOLDEN)
    return (values ^ (values >> np.uint64(32))) * np.uint64(GOLDEN)


def place_stems() -> list[str]:
    """First words of places: `Ambermere`, `Foxholt`, ..."""
    return [head + tail for head in PLACE_HEADS for tail in PLACE_TAILS]


def surnames() -> list[str]:
    """Last words of people: `Alderbourne`, `Ashdale`, ..."""
    return [head + tail for head in SURNAME_HEADS for tail in SURNAME_TAILS]
