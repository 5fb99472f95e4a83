"""The sentences of a story chapter: what each line may say, in which order, and the words that fill it.

Slots of the ledger: `hero`, `place`, `person`, `first` (the person's first name), `job`, `She`, `she`, `her` (object),
`their` (possessive), `herself`, and items with their articles: `a_main` (what is bought or declined), `a_seen`,
`a_shown`, `a_other`, `the_sold`. All other slots are lists in `WORDS`; a capital (`{Crowd}`) starts a sentence with
one. Pronouns stand only where the person was named last; the hero, of whatever sex, has none. Two rules keep token
counts additive: a sentence ends with a plain full stop, and a paragraph does not open with a quotation.
"""

from nl_tasks.generators.grammar import Line

SPACE, PARAGRAPH = " ", "\n\n"

_GLAD = (
    "curious", "hopeful", "cheerful", "at ease", "grateful", "light-hearted", "ready for anything", "wide awake",
    "pleased with the day", "in good heart", "in no hurry", "full of plans",
)  # fmt: skip
_GLAD_BECAUSE = (
    "now that the hills lay behind", "because the inn had been clean", "since a letter had come from home",
    "because the mule had behaved for once", "like a child on a feast day", "as the road had been kind",
    "after a good breakfast", "with nothing but time ahead", "after a night of sound sleep", "in spite of the mud",
    "although the guidebook had promised little", "despite the early start",
)  # fmt: skip
_LOW = (
    "tired", "hungry", "uneasy", "restless", "homesick", "a little lost", "out of breath", "thoughtful", "footsore",
    "slow to begin", "short of patience", "out of sorts",
)  # fmt: skip
_LOW_BECAUSE = (
    "after so many miles", "because supper had been poor", "because the bridge had been closed", "for no good reason",
    "as often happened in strange towns", "in spite of a long rest", "though the worst was over", "with boots that pinched",
    "since the map had been wrong", "after a night of barking dogs", "because the beds had been hard",
    "as travellers sometimes are",
)  # fmt: skip

WORDS: dict[str, tuple[str, ...]] = {
    "feeling": (
        *(f"{mood} {because}" for mood in _GLAD for because in _GLAD_BECAUSE),
        *(f"{mood} {because}" for mood in _LOW for because in _LOW_BECAUSE),
    ),
    "when": (
        "at first light", "shortly before noon", "towards evening", "an hour after sunrise", "late in the afternoon",
        "as the lamps were being lit", "on a market day", "after two days on the road", "in the middle of the morning",
        "just as the gates opened", "while the bells were ringing", "at the end of a long week", "before breakfast",
        "with an hour of daylight left", "on the quietest day of the month", "after a night without sleep",
        "at the busiest time of day", "when most people were at table", "in the last warmth of the day",
        "a little later than planned", "ahead of the other travellers", "in the company of two drovers",
        "on the back of a hay cart", "with sore feet", "in good spirits", "under a borrowed umbrella", "without a map",
    ),
    "weather": (
        "a thin rain", "a cold wind", "thick fog", "warm drizzle", "low cloud", "a salt breeze", "a sudden squall",
        "hazy light", "soft snow", "a damp chill", "a smell of smoke", "a fine mist", "bright sunshine",
        "the scent of hay", "a grey calm", "blown sand", "a mild breeze", "woodsmoke", "steam from the laundries",
        "a cloud of dust", "a smell of fresh bread", "the sound of hammering", "birdsong", "the noise of carts",
        "a veil of haze", "a smell of tar",
    ),
    "hangs": (
        "lay over", "drifted across", "settled on", "moved slowly past", "crept around", "hung above", "passed over",
        "clung to", "rolled past", "lingered around", "swept across", "hovered near", "came in over", "spread around",
    ),
    "spot": (
        "the town gate", "the main street", "the pump", "the empty benches", "the back lanes", "the old wall",
        "the fountain", "the stables", "the arcades", "the long steps", "the meadow", "the well", "the signposts",
        "the awnings", "the bakehouse", "the little cemetery", "the allotments", "the bell tower", "the ditch",
        "the schoolhouse", "the ropewalk", "the tannery", "the wagon yard", "the laundry lines", "the hedges",
        "the almshouses", "the weigh-house", "the fishponds",
    ),
    "crowd": (
        "two carters", "some children", "a pair of nuns", "three soldiers", "a few pensioners", "the baker's boys",
        "a line of porters", "several students", "a group of weavers", "half a dozen sailors", "the night watch",
        "a wedding party", "an old couple", "the postmen", "some farm hands", "four musicians", "the washerwomen",
        "a party of pilgrims", "two surveyors", "the lamplighters", "a troop of acrobats", "the stonemasons",
    ),
    "busy": (
        "were arguing about the weather", "were playing at marbles", "were resting in the shade", "shared a loaf",
        "were mending a wheel", "stood about and yawned", "were singing out of tune", "waited for a coach",
        "were chasing a loose goose", "were counting barrels", "compared their boots", "fed the pigeons",
        "were whitewashing a fence", "were stacking peat", "laughed at some joke", "were hanging up paper flags",
        "studied a torn poster", "were shelling peas", "watched a chess match", "were sweeping up straw",
        "were unloading bricks", "were quarrelling over a bench", "looked for a lost dog", "passed round a flask",
    ),
    "doing": (
        "repairing a clock", "reading a newspaper", "peeling an apple", "sorting old letters", "waxing a saddle",
        "mending a net", "sharpening a chisel", "feeding a lame crow", "writing in a ledger", "drinking tea",
        "sketching a cat", "splicing a rope", "watering geraniums", "darning a stocking", "tuning a fiddle",
        "scrubbing a doorstep", "cleaning a harness", "weighing out barley", "carving a stick", "untangling a kite",
        "teaching a parrot to count", "polishing spectacles", "folding linen", "painting a signboard",
        "checking a list", "grinding coffee", "arranging dried herbs", "patching a sail", "trimming a wick",
    ),
    "topic": (
        "the price of wool", "the new toll road", "a play that had failed", "the best way to cook eel",
        "a lost inheritance", "the winter of the great flood", "a quarrel between two villages", "bees",
        "a nephew at sea", "the mayor's hat", "the meaning of dreams", "the stars", "a cure for hiccups",
        "the art of sharpening knives", "bad harvests", "a ghost in the granary", "the right way to stack firewood",
        "a horse that could open doors", "old songs", "the trouble with landlords", "a shipwreck", "the habits of owls",
        "the schoolteacher's wedding", "tides", "the taste of well water", "a comet seen in childhood",
        "the shape of clouds", "a bridge that was never built",
    ),
    "manner": (
        "at length", "in a low voice", "with great feeling", "between bites of cheese", "without once looking up",
        "like an old friend", "with many a pause", "in broken sentences", "with one eye on the sky",
        "between sips of cold tea", "without ever coming to the point", "more to the sky than to anyone",
        "until the pipe went out", "until the thread was lost", "as people do who live alone",
        "with a good deal of laughter", "with maps drawn in the dust", "with both hands in the air",
        "with no thought for the hour", "in the manner of a sermon",
    ),
    "saying": (
        "The road north is worse than it looks", "Nobody comes here for the soup", "You have the look of a walker",
        "My mother kept geese on this very spot", "It will rain before supper", "I never trust a quiet river",
        "There was a fair here once", "You should have seen this street at midsummer", "My knees tell me the weather",
        "A stranger is only a guest who is early", "I was born two doors away", "The ferryman will overcharge you",
        "Sit down, the bench is dry", "I have not slept well since the spring", "We get few visitors at this season",
        "The bells are late again", "They say the mill is haunted", "I could tell you stories", "My brother built that chimney",
        "Bread was cheaper in my day", "The wolves have moved on", "You can leave your bag with the porter",
        "I once walked to the coast and back", "Everything here is older than it looks", "Mind the third step",
        "The cat belongs to everyone", "We had snow in May last year", "The schoolhouse clock is wrong",
    ),
    "said": (
        "said", "remarked", "observed", "muttered", "declared", "explained", "sighed", "announced", "murmured",
        "called out", "admitted", "grumbled",
    ),
    "how": (
        "with a smile", "by way of greeting", "and pushed out a stool", "without getting up", "in a tired voice",
        "and pointed at the sky", "after a moment's thought", "as if to nobody", "and rubbed both hands",
        "with a shrug", "and glanced at the door", "with mock solemnity", "and coughed", "half in jest",
        "with some pride", "and looked round for a cup", "in the tone of a judge", "and nodded twice", "with a yawn",
        "and blinked at the light",
    ),
    "asking": (
        "Is there a decent inn nearby", "How far is it to the river", "Do you always work outdoors", "Who rings the bells",
        "Has the post come yet", "Is that your dog", "What do people do here in winter", "Does the road flood",
        "Where does everyone eat", "Is the bridge safe for a cart", "How old is that wall", "Why is the square so empty",
        "Can one hire a mule", "Is it always this windy", "When does the next coach leave", "Who lives in the big house",
        "Have you lived here long", "Is the water good to drink", "What was that noise", "Does anybody mend boots here",
        "Which way to the station", "Are the nights cold up here", "Who planted all those trees", "May I rest here a moment",
        "Do the coaches run on holidays", "What became of the old mill", "Is there a bed to be had", "Where did you learn that",
        "Is that smoke over the hill", "When is the next fair", "Do you ever go to the coast", "What is the river called",
    ),
    "price": (
        "nine silver marks", "three crowns", "a handful of coppers", "twelve shillings", "two gold florins",
        "five groats", "sixteen pennies", "a fair sum", "forty pence", "a crown and a half", "seven thalers",
        "eleven marks", "one florin", "twenty coppers", "four ducats", "a week's wages", "six guilders", "thirty pence",
        "ten shillings", "eight crowns", "two marks and a joke", "fifteen groats", "a single ducat", "half a guinea",
    ),
    "wrapped": (
        "wrapped it in a scarf", "slipped it into the bag", "held it up to the light once more",
        "counted out the coins", "tested its weight", "turned it over twice", "looked for a maker's mark",
        "packed it between two shirts", "ran a thumb along the edge", "asked about its age", "tied it up with string",
        "blew off the dust",
    ),
    "excuse": (
        "shook a tired head", "spoke of a full bag", "asked for time to think it over", "thought the price absurd",
        "had no room for it", "talked of thin purses", "praised the work all the same", "turned to something else",
        "kept both hands in the pockets", "found a crack in it", "laughed off every argument", "saved the coins",
    ),
    "bystander": (
        "a pedlar at the next table", "the innkeeper's sister", "a retired captain", "a young notary", "a passing tinker",
        "the parish clerk", "a wine merchant", "a lady in grey", "the chandler across the way", "a travelling dentist",
        "an elderly colonel", "a widow from the coast", "the toll collector", "a student of law", "the organist",
        "a boatman", "a juggler between jobs", "the apothecary's wife", "a quiet man in green", "the harbour pilot",
    ),
    "stand": (
        "a stall by the gate", "a barrow at the corner", "the window of a pawnshop", "a blanket spread on the ground",
        "the counter of a dark little shop", "a tinker's tray", "a table outside the chapel", "a shelf in the taproom",
        "the auction room", "a cart without a horse", "the booth next to the pump", "a glass case in the arcade",
        "an upturned crate", "the charity bazaar", "a niche beside the stairs", "a trunk with its lid open",
    ),
    "among": (
        "among rusty keys", "between two piles of books", "next to a tray of buns", "under a layer of dust",
        "on a square of red velvet", "beside a sleeping cat", "half hidden by onions", "in a nest of straw",
        "with a ticket tied to it", "behind a row of bottles", "in the place of honour", "for anyone to touch",
        "near a broken mandolin", "amid a clutter of spoons", "on top of a hatbox", "in front of a cracked mirror",
    ),
    "dealing": (
        "all of this took no longer than a cup of tea", "a church clock struck somewhere",
        "a pigeon landed and looked on", "somebody laughed not far off", "a child watched with round eyes",
        "a dog lost interest and left", "there was a silence that nobody minded", "a fly walked along a sleeve",
        "a cart rumbled by", "neither of them was in a hurry", "a neighbour leaned in to listen",
        "the talk went back to older matters", "a hat was chased down the street", "a bee inspected both of them",
        "a door opened and closed again",
    ),
    "meanwhile": (
        "and for a moment nobody spoke", "and the subject was changed", "and a door banged in the wind",
        "and two sparrows quarrelled overhead", "and somewhere a pump began to creak", "and the light changed",
        "and a smell of onions came from a kitchen", "and someone started to whistle",
        "and a child ran past with a hoop", "and a cat came to look", "and a neighbour called good day",
        "and a wasp had to be chased off", "and a cork was drawn", "and the price of bread was lamented",
        "and the weather was gone over once more", "and a spoon fell with a clatter",
    ),
    "farewell": (
        "a safe road", "dry weather", "good company", "an easy crossing", "better soup elsewhere", "honest innkeepers",
        "a following wind", "cheap lodgings", "short hills", "sound sleep", "luck with the coaches", "long evenings",
        "few toll gates", "clean sheets", "a quick return", "fair skies", "a warm stove at the end",
        "roads without mud", "patient horses", "strong boots", "no more rain", "a friendly harbour",
        "lamps in every window", "full moons", "fresh bread every morning", "news from home", "a dry haystack",
        "light luggage",
    ),
    "gesture": (
        "waved from the doorway", "went back to work", "lifted a hand", "nodded and turned away",
        "stood there for some time", "hummed a few notes", "looked down the street", "whistled for the dog",
        "tidied the place a little", "smiled at last", "called something that the wind carried off",
        "bowed like an actor", "was soon out of sight", "pointed out the way", "began to sweep the step",
        "found a reason to stay outside", "pulled the door to", "yawned broadly", "looked up at the clouds",
        "counted the chimneys", "put on a pair of gloves", "gave a short salute", "shaded both eyes",
        "remembered the soup on the stove", "sat down again", "fed a crust to the sparrows", "hurried to the well",
        "stretched both arms", "turned the sign on the door", "lit a lamp",
    ),
    "way": (
        "the path led on", "the road climbed", "the track ran", "a lane wound", "the coach rattled", "the towpath went",
        "the bridleway dipped", "the highway stretched", "a footpath cut", "the causeway ran", "the trail meandered",
    ),
    "across": (
        "between stubble fields", "past a ruined kiln", "along the edge of a wood", "over a chain of low hills",
        "beside a slow canal", "through a plantation of pines", "under a row of poplars", "across the heath",
        "by way of three villages", "past sheepfolds and milestones", "through water meadows", "round the foot of a crag",
        "in the lee of a long dyke", "over two stone bridges", "through bracken as high as a man", "past an empty toll booth",
    ),
    "night": (
        "and the night was spent in a barn", "and the moon rose early", "and an owl kept pace for a mile",
        "and the next inn was full", "and the miles went by quickly", "and there was frost in the ruts",
        "and nothing happened at all", "and a hare sat in the road", "and the stars came out one by one",
        "and someone was burning leaves", "and a shepherd shared his fire", "and the mud was deep", "and the sky cleared",
        "and the wind dropped at dusk", "and the milestones had lost their numbers", "and dogs barked far away",
    ),
    "thing": (
        "lantern", "gate", "weathervane", "shutter", "water butt", "signboard", "handcart", "rain barrel", "milk churn",
        "clothes post", "wheelbarrow", "sundial", "bird table", "hitching rail", "pump handle", "drainpipe", "flagpole",
        "fruit ladder", "coal hatch", "window box", "notice board", "boot scraper", "barrel hoist", "cellar door",
    ),
    "state": (
        "creaked", "needed paint", "had seen better days", "leaned to one side", "was tied up with wire",
        "caught the light", "had been mended twice", "was covered in moss", "rattled in the wind",
        "bore a date nobody could read", "had come loose", "was the pride of its owner", "had been there for ever",
        "smelled of fresh paint", "was older than the street", "cast a long shadow", "was spotted with rust",
        "had been painted green",
    ),
    "small": (
        "small", "weathered", "grey", "narrow", "crooked", "tall", "lonely", "tidy", "neglected", "sunny", "damp", "handsome",
        "low", "quiet", "draughty", "half-timbered", "shuttered", "whitewashed", "windowless", "red-brick",
    ),
    "building": (
        "cottage", "bakery", "smithy", "chapel", "cooperage", "brewery", "printing shop", "boathouse", "dovecote", "barn",
        "library", "bathhouse", "post office", "dairy", "workshop", "dye house", "guardroom", "coffee house", "pottery",
        "saddlery", "infirmary", "schoolroom",
    ),
    "land": (
        "the fields", "the hills", "the far woods", "the reed beds", "the stubble", "the moor", "the orchards",
        "the flats", "the river bend", "the pastures", "the ridge", "the hop gardens", "the dunes", "the quarries",
        "the vineyards", "the marsh",
    ),
    "around": (
        "and somewhere a pump creaked", "and pigeons rose from the roofs", "and a cart went by",
        "and a bell rang twice", "and a dog barked", "and a shutter banged", "and a cock crowed late",
        "and swifts were hunting overhead", "and nobody was in a hurry", "and a kite hung over the fields",
        "and a clock struck the quarter", "and children shouted at their play", "and wet washing flapped",
        "and leaves lay in the gutters", "and a handbell was rung", "and a ladder was carried past",
    ),
    "pace": (
        "without haste", "with great care", "in deep thought", "with rolled-up sleeves", "as on any other day",
        "for the third time", "with both elbows out", "against the clock", "between two yawns", "to pass the time",
        "in a borrowed apron", "half asleep", "with a cold pipe", "in a corner",
    ),
    "ask_how": (
        "with a smile", "politely", "after a moment's thought", "half in jest", "in a tired voice",
        "with a glance at the sky", "and put down the bag", "and wiped both boots", "with a yawn",
        "for want of anything better to say", "at last", "in passing", "without much hope", "with some impatience",
        "and leaned on the wall", "for the second time that day",
    ),
    "answering": (
        "That depends on whom you ask", "Ask me again tomorrow", "Nobody could tell you for certain",
        "It was always so", "I would not bet on it", "My aunt knows more about that", "It never used to matter",
        "You will find out soon enough", "There are two opinions about it", "So they say at the inn",
        "I gave up wondering years ago", "It is written up at the town hall", "Only on feast days",
        "I have heard stranger things", "The old people knew", "Not since the fire", "It is better not to ask",
        "More or less", "You are the first to care", "That is a long story",
    ),
    "surface": (
        "the table", "the bench", "the counter", "the windowsill", "a barrel", "the low wall", "an upturned boat",
        "a trestle", "the steps", "a crate", "the lid of a chest", "the workbench", "a stool", "a plank on two stones",
        "a folding table", "an old door",
    ),
    "subject": (
        "the year the river froze", "a wager about a bull", "lost umbrellas", "the proper thickness of porridge",
        "a cousin who kept a lighthouse", "the rudeness of swans", "the old post road", "rust and how to fight it",
        "a travelling circus", "the smell of rain", "a book with missing pages", "the cleverness of rats",
        "summers that were longer", "a stolen bell", "the language of flags", "mushrooms", "a bishop who could juggle",
        "the price of candles", "letters that arrive too late", "a great-uncle's beard", "the best knots", "chilblains",
        "the map of the town", "goats and their habits", "a dance in the next valley", "the uses of vinegar",
        "an unlucky boat", "echoes",
    ),
    "blessing": (
        "good trade", "a mild winter", "a long life", "honest customers", "a dry roof", "fewer mice", "a good harvest",
        "peace with the neighbours", "rain at the right time", "an end to the coughing", "well-behaved cats",
        "early strawberries", "a quiet old age", "firewood enough", "good news by the next post", "a prize at the fair",
        "warm feet", "many such days", "a kind landlord", "sharp scissors", "sweet apples", "less noise at night",
    ),
}  # fmt: skip

JOBS = (
    "glazier", "cartographer", "beekeeper", "ferry hand", "seamstress", "clockmaker", "bookbinder", "farrier", "gardener",
    "midwife", "cooper", "tailor", "schoolteacher", "locksmith", "weaver", "brewer", "chandler", "cobbler", "ropemaker",
    "fishmonger", "goldsmith", "potter", "surveyor", "printer", "violinist", "wheelwright", "basket maker", "barber",
    "tea merchant", "stonecutter", "retired judge", "puppet maker", "well digger", "thatcher", "cheesemonger", "saddler",
    "horse doctor", "map seller", "lighthouse keeper", "bell founder", "tollkeeper", "wine taster", "falconer", "furrier",
)  # fmt: skip

ARRIVAL = Line("arrival", PARAGRAPH, (
    "{hero} reached {place} {when}.",
    "It was {when} that {hero} came to {place}.",
    "The next stop was {place}, and {hero} got there {when}.",
    "{hero} walked into {place} {when}, {feeling}.",
    "The road ended at {place}, where {hero} arrived {when}.",
    "From here on the signs said {place}, and {hero} followed them there {when}.",
    "{hero} had heard much about {place} and entered it {when}.",
    "The coach set {hero} down at {place} {when}.",
    "At last {hero} stood in {place}, {feeling}.",
    "Nobody in {place} expected {hero}, who came {when}.",
    "{When}, {hero} came in sight of {place} and went straight in.",
))  # fmt: skip
SCENERY = Line("scenery", SPACE, (
    "{Weather} {hangs} {spot}.",
    "{Crowd} {busy} near {spot}.",
    "{Weather} {hangs} {spot}, {around}.",
    "Next to {spot} stood a {small} {building}, and its {thing} {state}.",
    "{Crowd} {busy} in front of a {small} {building}.",
    "Beyond {spot} there was a {small} {building}, {around}.",
    "Every {thing} in the street {state}, and {crowd} {busy}.",
    "A {small} {building} faced {spot}, and beside it a {thing} {state}.",
    "{Crowd} {busy} while {weather} {hangs} {spot}.",
))  # fmt: skip
SEEN = Line("seen", SPACE, (
    "{Stand} offered {a_seen} {among}.",
    "{Stand} held {a_seen} {among}, but nobody was minding it.",
    "{Stand} showed passers-by {a_seen} {among}.",
    "There {hero} noticed {a_seen} {among}.",
    "The eye fell on {a_seen} {among}.",
    "Not far away {bystander} was carrying {a_seen} to be repaired.",
    "Earlier {bystander} had bought {a_seen} here for {price}.",
))  # fmt: skip
FEELING = Line("feeling", SPACE, (
    "{hero} felt {feeling}.",
    "The {thing} of a {small} {building} {state}.",
    "By {spot} a {thing} {state}.",
    "For a while {hero} watched as {crowd} {busy}.",
    "{hero} noticed that the {thing} {state}.",
    "Not far off {crowd} {busy}.",
    "{hero} sat down near {spot}, {feeling}.",
))  # fmt: skip
MEETING = Line("meeting", PARAGRAPH, (
    "{person}, a {job}, was {doing} near {spot}.",
    "There {hero} met {person}, a {job}, who was {doing}.",
    "By {spot} {hero} came upon {person}, a {job}, {doing} {pace}.",
    "Before long {hero} fell into conversation with {person}, a {job} who was {doing}.",
    "The only person about was {person}, a {job}, busy {doing}.",
    "In a {small} {building} {hero} found {person}, a {job}, {doing} {pace}.",
    "{hero} asked the way of {person}, a {job} who had been {doing}.",
    "{person} introduced {herself} as a {job} and went on {doing}.",
))  # fmt: skip
REMARK = Line("remark", SPACE, (
    '"{saying}," {she} {said} {how}.',
    '"{saying}," the {job} {said} {how}.',
    '"{saying}," {she} {said}, and spoke of {topic} {manner}.',
    "{She} spoke of {topic} {manner}.",
    "The {job} {said} that {topic} had been on {their} mind for weeks.",
))  # fmt: skip
QUESTION = Line("question", SPACE, (
    '"{asking}?" asked {hero} {ask_how}.',
    '"{asking}?" {hero} wanted to know.',
    "{hero} asked about {subject}, and {first} answered {manner}.",
    '"{asking}?" was all that {hero} could think of.',
))  # fmt: skip
REPLY = Line("reply", SPACE, (
    "{first} thought about it, {meanwhile}.",
    "Then {first} talked of {subject} {manner}.",
    '"{answering}," {first} added {how}.',
    "The {job} told {hero} about {subject} {manner}.",
    "{first} had opinions on {subject} and gave them {manner}.",
    "From there it was a short step to {subject}, and {first} told it all {manner}.",
))  # fmt: skip
SHOWN = Line("shown", SPACE, (
    "First of all {first} brought out {a_shown}, which {hero} did not want.",
    "On {surface} lay {a_shown}, promised to {bystander}.",
    "The {job} showed {hero} {a_shown} that was not for sale.",
    "When {hero} asked after {a_shown}, {first} could not help.",
    "Then {first} mentioned {a_shown} that {bystander} had refused to sell.",
    "Some weeks before, {bystander} had bought {a_shown} from {first}.",
    "{hero} looked at {a_shown} for a while and put it down again.",
    "Somebody had ordered {a_shown}, and it lay ready {among}.",
))  # fmt: skip
HAGGLE = Line("haggle", PARAGRAPH, (
    "In the end the talk came round to trade while {crowd} {busy}.",
    "There was business to be done, and {hero} felt {feeling}.",
    "The {job} cleared {surface}, {meanwhile}.",
    "{first} opened a box while {crowd} {busy}.",
    "Like everyone near {spot}, {first} had things to sell, {meanwhile}.",
    "A cloth was unrolled on {surface}, {meanwhile}.",
))  # fmt: skip
BOUGHT = Line("bought", SPACE, (
    "{hero} bought {a_main} from {person} for {price}.",
    "{hero} paid {person} {price} and took away {a_main}.",
    "For {price} {person} sold {hero} {a_main}.",
    "So {hero} purchased {a_main} from {person} and {wrapped}.",
    "{hero} liked {a_main}, bought it from {person} for {price} and {wrapped}.",
    "After some haggling {hero} acquired {a_main} from {person} for {price}.",
    "{person} parted with {a_main}, for which {hero} paid {price}.",
    "{hero} saw {a_main}, paid {price} to {person} and {wrapped}.",
))  # fmt: skip
# Each answers to the line of BOUGHT at its place: as long, with as many commas and names, so that only the words tell.
DECLINED = Line("declined", SPACE, (
    "{hero} declined {a_main} from {person} at {price}.",
    "{hero} grudged {person} {price} and gave back {a_main}.",
    "For {price} {person} offered {hero} {a_main} in vain.",
    "So {hero} refused {a_main} from {person} and {excuse}.",
    "{hero} liked {a_main}, heard {person} ask {price} for it and {excuse}.",
    "After some haggling {hero} refused {a_main} from {person} at {price}.",
    "{person} clung to {a_main}, for which {hero} offered {price}.",
    "{hero} saw {a_main}, was asked {price} by {person} and {excuse}.",
))  # fmt: skip
PAUSE = Line("pause", SPACE, (
    "{Dealing}, {meanwhile}.",
    "{Dealing}, and {crowd} {busy}.",
    "{Dealing} while {weather} {hangs} {spot}.",
    "Some way off {crowd} {busy}, {meanwhile}.",
))  # fmt: skip
SOLD = Line("sold", SPACE, (
    "{hero} sold {the_sold} to {bystander} for {price} that day.",
    "To make room in the bag, {hero} sold {the_sold} for {price}.",
    "That day {bystander} gave {hero} {price} for {the_sold}.",
    "{hero} let {the_sold} go to {bystander} for {price}.",
    "As for {the_sold}, {hero} sold it to {bystander}.",
))  # fmt: skip
OTHER = Line("other", SPACE, (
    "Not far off {bystander} bought {a_other} for {price}.",
    "Meanwhile {bystander} praised {a_other} to anyone who would listen.",
    "A boy came running to ask whether {bystander} had found {a_other}.",
    "On a wall hung a notice about {a_other}, lost by {bystander}.",
    "Close by {bystander} was wrapping up {a_other} for a customer.",
))  # fmt: skip
FAREWELL = Line("farewell", PARAGRAPH, (
    "{person} wished {hero} {farewell} and {gesture}.",
    "When {hero} turned to go, {first} {gesture}.",
    "At parting the {job} wished {hero} {farewell}.",
    "{hero} said goodbye, and {first} {gesture}.",
    "It was time to leave, so {hero} thanked {first} and wished {her} {blessing}.",
    "With a wish for {farewell} {first} {gesture}.",
))  # fmt: skip
ROAD = Line("road", SPACE, (
    "{Way} {across}, {night}.",
    "Then {hero} went on, {feeling}.",
    "{Way} {across}, and {crowd} {busy}.",
    "{hero} walked until the {thing} of a {small} {building} came in sight.",
    "{Weather} {hangs} {spot} when {hero} set out again, {feeling}.",
    "{Way} {across}, and {weather} {hangs} {land}.",
))  # fmt: skip
PADDING = Line("padding", SPACE, (
    "{Way} {across}.",
    "{Crowd} {busy}.",
    "A {small} {building} stood by {spot}.",
    "The {thing} {state}.",
    "{Weather} {hangs} {spot}.",
    "{Crowd} {busy} by {spot}, {around}.",
    "The {thing} of the {small} {building} {state}, {around}.",
    "{Weather} {hangs} {spot}, {around}.",
))  # fmt: skip
