"""The sentences of a story chapter: what each line may say, in which order, and the words that fill it.

Slots of the ledger: `hero`, `place`, `person`, `job`, `She`, `she`, `her` (object), `their` (possessive), `herself`, and items
with their articles: `a_main` (what is bought or declined), `a_seen`, `a_shown`, `a_other`, `the_sold`. All other slots
are lists in `WORDS`; a capital (`{Crowd}`) starts a sentence with one. Two rules keep token counts additive: a sentence ends with a plain full stop, and a paragraph
does not open with a quotation.
"""

from nl_tasks.generators.grammar import Line

SPACE, PARAGRAPH = " ", "\n\n"

WORDS: dict[str, tuple[str, ...]] = {
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
        "a thin rain", "a cold wind", "a pale sun", "thick fog", "warm drizzle", "the first frost", "a dry heat",
        "low cloud", "a salt breeze", "heavy dew", "a sudden squall", "hazy light", "soft snow", "the evening chill",
        "a smell of smoke", "distant thunder", "a fine mist", "bright sunshine", "the scent of hay", "a grey calm",
        "blown sand", "a mild breeze", "the noise of carts", "woodsmoke", "a flock of starlings", "birdsong",
    ),
    "hangs": (
        "lay over", "drifted across", "had settled on", "moved slowly along", "softened", "crept along", "hung above",
        "filled", "passed over", "clung to", "rolled past", "lingered around", "swept through", "hovered near",
    ),
    "spot": (
        "the rooftops", "the main street", "the water", "the empty benches", "the back lanes", "the old wall",
        "the cobbles", "the stables", "the chimney pots", "the long steps", "the meadow", "the well", "the signposts",
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
    "mood": (
        "curious", "tired", "hopeful", "hungry", "cheerful", "uneasy", "at ease", "restless", "patient", "homesick",
        "grateful", "a little lost", "wide awake", "out of breath", "light-hearted", "thoughtful", "ready for anything",
        "glad of the rest", "slow to begin", "careful", "in no hurry", "pleased with the day", "stiff from the road",
    ),
    "because": (
        "for the road had been kind", "for no good reason", "as often happened in strange towns", "like a child on a feast day",
        "despite the early start", "in spite of everything", "after so many miles", "now that the hills lay behind",
        "with nothing but time ahead", "though the boots still pinched", "because the inn had been clean",
        "as if the whole day were a gift", "although supper had been poor", "since a letter had come from home",
        "because the mule had behaved for once", "although the bridge had been closed", "as the guidebook had promised",
    ),
    "doing": (
        "repairing a clock", "reading a newspaper", "peeling an apple", "sorting old letters", "waxing a saddle",
        "mending a net", "sharpening a chisel", "feeding a lame crow", "writing in a ledger", "drinking tea",
        "sketching the view", "splicing a rope", "watering geraniums", "darning a stocking", "tuning a fiddle",
        "scrubbing a doorstep", "brushing a pony", "weighing out barley", "carving a stick", "dozing in the sun",
        "teaching a parrot to count", "polishing spectacles", "folding linen", "painting a signboard",
        "checking a list", "grinding coffee", "arranging dried herbs", "patching a sail", "trimming a wick",
    ),
    "topic": (
        "the price of wool", "the new toll road", "a play that had failed", "the best way to cook eel", "a lost inheritance",
        "the winter of the great flood", "a quarrel between two villages", "bees", "a nephew at sea", "the mayor's hat",
        "dreams and what they mean", "the stars", "a cure for hiccups", "the art of sharpening knives", "bad harvests",
        "a ghost in the granary", "the right way to stack firewood", "a horse that could open doors", "old songs",
        "the trouble with landlords", "a shipwreck", "the habits of owls", "the schoolteacher's wedding", "tides",
        "the taste of well water", "a comet seen in childhood", "the shape of clouds", "a bridge that was never built",
    ),
    "manner": (
        "at length", "in a low voice", "with great feeling", "between bites of cheese", "without once looking up",
        "as old friends do", "with many a pause", "in broken sentences", "as though it had happened yesterday",
        "with one eye on the sky", "over a pot of tea", "without ever finishing a story", "more to the dog than to anyone",
        "until the kettle boiled", "until the shadows had grown long", "as people do who live alone", "with a good deal of laughter",
        "while the kettle sang", "with maps drawn in the dust", "with both hands in the air", "with no thought for the hour",
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
        "said", "remarked", "observed", "muttered", "declared", "explained", "sighed", "announced", "whispered",
        "called out", "admitted", "repeated", "added", "insisted",
    ),
    "how": (
        "with a smile", "by way of greeting", "and pushed out a stool", "without getting up", "in a tired voice",
        "and pointed at the sky", "after a moment's thought", "as if to nobody", "and rubbed both hands", "with a shrug",
        "and glanced at the door", "with mock solemnity", "and coughed", "half in jest", "rather loudly", "with some pride",
        "and shook the rain off", "in the tone of a judge", "and nodded twice", "with a yawn", "and blinked at the light",
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
        "nine silver marks", "three crowns", "a handful of coppers", "twelve shillings", "two gold florins", "five groats",
        "sixteen pennies", "a fair sum", "forty pence", "a crown and a half", "seven thalers", "eleven marks",
        "one florin", "twenty coppers", "four ducats", "a week's wages", "six guilders", "thirty pence", "ten shillings",
        "eight crowns", "two marks and a joke", "less than expected", "a little too much", "half a guinea",
    ),
    "wrapped": (
        "wrapped it in a scarf", "slipped it into the bag", "held it up to the light once more", "counted out the coins",
        "tested its weight", "turned it over twice", "looked for a maker's mark", "packed it between two shirts",
        "ran a thumb along the edge", "asked about its age", "tied it up with string", "blew off the dust",
    ),
    "excuse": (
        "shook a tired head", "said that the bag was full", "decided to sleep on it", "handed it back with thanks",
        "thought the price absurd", "had no room for it", "only admired the work", "put it back on its shelf",
        "talked of thinner purses", "praised it and moved on", "found a crack in it", "laughed and declined",
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
        "all of this took no longer than a cup of tea", "the church clock struck somewhere", "a cloud passed over the sun",
        "somebody laughed in the next room", "a child watched with round eyes", "the dog lost interest and left",
        "there was a silence that nobody minded", "a fly walked along the table", "the candle needed trimming",
        "outside a cart rumbled by", "neither of them was in a hurry", "a neighbour leaned in to listen",
        "the stove ticked as it cooled", "it was that sort of afternoon", "the talk went back to older matters",
    ),
    "meanwhile": (
        "and the kettle was filled again", "and then the subject was dropped", "and a door banged in the wind",
        "and two sparrows fought on the sill", "and somewhere a pump began to creak", "and the light shifted on the floor",
        "and a smell of onions came from the kitchen", "and the rain began again", "and nobody spoke for a while",
        "and the floorboards answered with a groan", "and the shutters were pulled to", "and the fire was stirred",
        "and someone started to whistle", "and a spoon fell from the shelf", "and the clock was wound",
    ),
    "farewell": (
        "a safe road", "dry weather", "good company", "an easy crossing", "better soup elsewhere", "honest innkeepers",
        "a following wind", "cheap lodgings", "short hills", "sound sleep", "luck with the coaches", "long evenings",
        "few toll gates", "clean sheets", "a quick return", "fair skies",
        "a warm stove at the end", "roads without mud", "patient horses", "strong boots", "no more rain", "a friendly harbour",
        "lamps in every window", "full moons", "bread that is not stale", "news from home", "a dry haystack", "light luggage",
    ),
    "gesture": (
        "waved from the doorway", "went back indoors", "lifted a hand", "nodded and turned away", "stood there for some time",
        "hummed a few notes", "looked down the street", "whistled for the dog", "took up the work again", "smiled at last",
        "called something that the wind carried off", "bowed like an actor", "was soon out of sight", "pointed out the way",
        "began to sweep the step", "found a reason to stay outside", "shut the window against the draught", "yawned broadly",
        "looked up at the clouds", "counted the chimneys", "put on a pair of gloves", "gave a short salute", "shaded both eyes",
        "remembered the soup on the stove", "sat down on the bench again", "fed a crust to the sparrows", "hurried to the well",
        "stamped both feet against the cold", "turned the sign on the door", "wished for a longer evening",
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
        "clothes line", "wheelbarrow", "sundial post", "bird table", "hitching rail", "garden wall", "drainpipe",
        "horse trough", "fruit ladder", "beehive", "coal chute", "doorstep", "window box", "notice board", "boot scraper",
    ),
    "state": (
        "creaked", "needed paint", "had seen better days", "leaned to one side", "was freshly tarred", "dripped steadily",
        "was tied up with wire", "caught the light", "had been mended twice", "was covered in moss", "rattled in the wind",
        "bore a date nobody could read", "had lost a hinge", "was the pride of its owner", "stood in everyone's way",
        "served three households", "had been there for ever", "smelled of resin",
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
    "{hero} walked into {place} {when}, {mood} {because}.",
    "The road ended at {place}, where {hero} arrived {when}.",
    "From here on the signs said {place}, and {hero} followed them {when}.",
    "{hero} had heard much about {place} and entered it {when}.",
    "The coach set {hero} down at {place} {when}.",
    "At last {hero} stood in {place}, {mood} {because}.",
    "Nobody expected {hero} in {place}, reached {when}.",
))  # fmt: skip
SCENERY = Line("scenery", SPACE, (
    "{Weather} {hangs} {spot}.",
    "{Crowd} {busy} near {spot}.",
    "{Weather} {hangs} {spot}, {night}.",
    "Next to {spot} stood a {small} {building}, and its {thing} {state}.",
    "{Crowd} {busy} in front of a {small} {building}.",
    "Beyond {spot} there was a {small} {building}.",
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
    "{hero} felt {mood} {because}.",
    "The {thing} of a {small} {building} {state}.",
    "By {spot} a {thing} {state}.",
    "For a while {hero} watched how {crowd} {busy}.",
    "Even the {thing} {state}, or so it seemed to {hero}.",
    "It was a day on which {crowd} {busy}.",
    "{hero} sat down near {spot}, {mood} {because}.",
))  # fmt: skip
MEETING = Line("meeting", PARAGRAPH, (
    "{person}, a {job}, was {doing} near {spot}.",
    "There {hero} met {person}, a {job}, who was {doing}.",
    "By {spot} sat {person}, a {job}, {doing} {manner}.",
    "Before long {hero} fell into conversation with {person}, a {job} who was {doing}.",
    "The only person about was {person}, a {job}, busy {doing}.",
    "In a {small} {building} {hero} found {person}, a {job}, {doing}.",
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
    '"{asking}?" asked {hero} {how}.',
    '"{asking}?" {hero} wanted to know.',
    "{hero} asked about {topic} and listened to the answer {manner}.",
    '"{asking}?" was all that {hero} could think of.',
))  # fmt: skip
REPLY = Line("reply", SPACE, (
    "{She} thought about it {manner}.",
    "Then they talked of {topic} {manner}.",
    '"{saying}," was {their} answer.',
    "The {job} told {hero} about {topic} {manner}.",
    "{She} had opinions on {topic} and gave them {manner}.",
    "From there it was a short step to {topic}, and {she} told it all {manner}.",
))  # fmt: skip
SHOWN = Line("shown", SPACE, (
    "First {she} brought out {a_shown}, which {hero} did not want.",
    "On the table lay {a_shown}, promised to {bystander}.",
    "The {job} showed {hero} {a_shown} that was not for sale.",
    "When {hero} asked after {a_shown}, {she} could not help.",
    "Then {she} mentioned {a_shown} that {bystander} had refused to sell.",
    "Some weeks before, {bystander} had bought {a_shown} from {her}.",
    "{hero} looked at {a_shown} for a while and gave it back.",
    "Somebody had ordered {a_shown}, and it stood ready {among}.",
))  # fmt: skip
HAGGLE = Line("haggle", PARAGRAPH, (
    "In the end the talk came round to trade, and {crowd} {busy}.",
    "There was business to be done, and {hero} felt {mood} {because}.",
    "The {job} cleared the table, {night}.",
    "{She} opened a box while {crowd} {busy}.",
    "Like everyone near {spot}, {she} had things to sell, {meanwhile}.",
    "A cloth was unrolled on top of the {thing}, {meanwhile}.",
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
    "{hero} declined {a_main} from {person} for {price}.",
    "{hero} denied {person} {price} and gave back {a_main}.",
    "For {price} {person} showed {hero} {a_main} in vain.",
    "So {hero} returned {a_main} to {person} and {excuse}.",
    "{hero} liked {a_main}, heard from {person} about {price} and {excuse}.",
    "After some haggling {hero} refused {a_main} from {person} for {price}.",
    "{person} kept {a_main}, for which {hero} offered {price}.",
    "{hero} saw {a_main}, heard {price} from {person} and {excuse}.",
))  # fmt: skip
PAUSE = Line("pause", SPACE, (
    "{Dealing}, {meanwhile}.",
    "{Dealing}, and {crowd} {busy}.",
    "{Dealing} while {weather} {hangs} {spot}.",
    "Then {crowd} {busy} outside, {meanwhile}.",
))  # fmt: skip
SOLD = Line("sold", SPACE, (
    "{hero} also sold {the_sold} to {bystander} for {price}.",
    "To make room in the bag, {hero} sold {the_sold} for {price}.",
    "That day {bystander} gave {hero} {price} for {the_sold}.",
    "{hero} let {the_sold} go to {bystander} for {price}.",
    "As for {the_sold}, {hero} sold it to {bystander}.",
))  # fmt: skip
OTHER = Line("other", SPACE, (
    "Across the room {bystander} bought {a_other} for {price}.",
    "Meanwhile {bystander} praised {a_other} to anyone who would listen.",
    "A boy came in to ask whether {bystander} had found {a_other}.",
    "On the wall hung a notice about {a_other}, lost by {bystander}.",
    "In a corner {bystander} was wrapping up {a_other} for a customer.",
))  # fmt: skip
FAREWELL = Line("farewell", PARAGRAPH, (
    "{person} wished {hero} {farewell} and {gesture}.",
    "When {hero} rose to go, {she} {gesture}.",
    "At parting the {job} wished {hero} {farewell}.",
    '{hero} said goodbye, and {she} {gesture}.',
    "It was time to leave, so {hero} thanked {her} and wished {her} {farewell}.",
    "With a wish for {farewell} {she} {gesture}.",
))  # fmt: skip
ROAD = Line("road", SPACE, (
    "{Way} {across}, {night}.",
    "Then {hero} went on, {mood} {because}.",
    "{Way} {across}, and {crowd} {busy}.",
    "{hero} walked until the {thing} of a {small} {building} came in sight.",
    "{Weather} {hangs} {spot} when {hero} set out again, {mood} {because}.",
    "{Way} {across}, and {weather} {hangs} {spot}.",
))  # fmt: skip
PADDING = Line("padding", SPACE, (
    "{Way} {across}.",
    "{Crowd} {busy}.",
    "A {small} {building} stood by {spot}.",
    "The {thing} {state}.",
    "{Weather} {hangs} {spot}.",
    "{Crowd} {busy} by {spot}, {night}.",
    "The {thing} of the {small} {building} {state}, {night}.",
    "{Weather} {hangs} {spot}, {meanwhile}.",
))  # fmt: skip
