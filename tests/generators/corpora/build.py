"""Small corpora in the original formats of SQuAD, QuALITY and TOEFL-QA, about towns that do not exist.

python tests/generators/corpora/build.py     # writes the files beside this one
"""

import json
import random
from pathlib import Path

HERE = Path(__file__).parent
TOWNS = "Ambermere Barleyholt Coldwick Driftford Emberlea Foxden Gooseham Heronwell Kestrelglen Linnetmarsh".split()
TOWNS += "Mossfell Otterham Pebblecross Quietmouth Ravenwold Saltwick Swanmere Thistlebank Vineden Wickholt".split()
FIRST = "Agnes Basil Cora Desmond Edwina Florian Greta Hector Imogen Jasper Lorna Magnus Nora Oswald Petra".split()
LAST = "Alderbrook Birchdale Copperfield Dunshaw Elmhurst Flintridge Hazelgate Marlstead Redcombe Thornbury".split()
GOODS = ["brass bells", "blue glass", "felt hats", "smoked eels", "chess sets", "garden rakes", "honey cakes", "kites"]
MONTHS = "March April May June July September October".split()
PARTS = ["the river", "the old mill", "the station", "the north gate", "the market hall", "the canal", "the hill"]
ASIDES = [
    "The houses beside {part} were built of yellow brick and have small windows.",
    "Visitors often ask about {part}, which appears on the town's coat of arms.",
    "A narrow path leads from {part} to the woods, where people walk on Sundays.",
    "For many years nobody could agree on who should repair the wall behind {part}.",
    "In dry summers the well near {part} gives no water, and carts bring some from the next valley.",
    "The school stands close to {part} and has about two hundred pupils.",
    "Trains stop twice a day, and the last one leaves before supper.",
    "It rains a great deal in autumn.",
    "Most families keep geese.",
    "A brass band plays near {part} whenever the council has good news.",
    "Old maps show a second bridge, but no trace of it has been found.",
    "The baker by {part} opens at four in the morning.",
]


def town(rng, number, asides):
    """A town's facts, and sentences about it: facts among asides."""
    name = f"{('Upper', 'Lower', 'Great')[number // len(TOWNS)]} {TOWNS[number % len(TOWNS)]}"
    facts = {
        "founder": f"{rng.choice(FIRST)} {rng.choice(LAST)}",
        "year": str(rng.randrange(1140, 1790)),
        "goods": rng.choice(GOODS),
        "month": rng.choice(MONTHS),
    }
    told = [
        f"{name} was founded in {facts['year']} by {facts['founder']}.",
        f"Its workshops are known for {facts['goods']}.",
        f"Every {facts['month']} the town holds a fair.",
    ]
    others = [rng.choice(ASIDES).format(part=rng.choice(PARTS)) for _ in range(asides)]
    sentences = told[:1] + rng.sample(told[1:] + others, asides + 2)
    questions = {
        "founder": f"Who founded {name}?",
        "year": f"In which year was {name} founded?",
        "goods": f"What are the workshops of {name} known for?",
        "month": f"In which month does {name} hold its fair?",
    }
    return facts, sentences, questions


def choices(rng, fact, gold):
    """Four different options in a random order, and the letter of the gold one."""
    pools = {"founder": [f"{a} {b}" for a in FIRST for b in LAST], "goods": GOODS, "month": MONTHS}
    pool = pools.get(fact, [str(year) for year in range(1140, 1790)])
    options = [*rng.sample([option for option in pool if option != gold], 3), gold]
    rng.shuffle(options)
    return options, "ABCD"[options.index(gold)]


def squad(rng):
    articles = []
    for number in range(60):
        facts, sentences, questions = town(rng, number, 6)
        context = " ".join(sentences)
        qas = []
        for fact in ("founder", "goods"):
            text = facts[fact]
            golds = [{"text": text, "answer_start": context.index(text)}]
            if fact == "founder":
                short = text.split()[1]
                golds.append({"text": short, "answer_start": context.index(short)})
            qas.append({"id": f"{number}-{fact}", "question": questions[fact], "answers": golds})
        nobody = {"id": f"{number}-none", "question": "Who flew there?", "answers": [], "is_impossible": True}
        articles.append({"title": "Towns", "paragraphs": [{"context": context, "qas": [*qas, nobody]}]})
    return json.dumps({"version": "test", "data": articles}, indent=0) + "\n"


def quality(rng):
    lines = []
    for number in range(12):
        facts, sentences, questions = town(rng, number, 38)
        paragraphs = [" ".join(sentences[start : start + 8]) for start in range(0, len(sentences), 8)]
        asked = []
        for fact in ("founder", "year", "month"):
            options, letter = choices(rng, fact, facts[fact])
            asked.append({"question": questions[fact], "options": options, "gold_label": "ABCD".index(letter) + 1})
        asked.append({"question": "What is not told?", "options": ["a", "b", "c", "d"]})
        lines.append({"article_id": str(number), "article": "\n\n".join(paragraphs) + "\n", "questions": asked})
    return "".join(json.dumps(line) + "\n" for line in lines)


def toefl(rng):
    lines = []
    for number in range(40):
        facts, sentences, questions = town(rng, number, 9)
        asked, answers = [], []
        for fact in ("goods", "month"):
            options, letter = choices(rng, fact, facts[fact])
            listed = " ".join(f"{mark}.{option}" for mark, option in zip("ABCD", options))
            asked.append(f"Question: {questions[fact]} Options: {listed} ")
            answers.append(letter)
        options, letter = choices(rng, "year", facts["year"])
        options[3 if letter != "D" else 0] = f"the year {facts['year']}"
        listed = " ".join(f"{mark}.{option}" for mark, option in zip("ABCD", options))
        asked.append(f"Question: which two options name the year of {facts['founder']}'s deed? Options: {listed} ")
        answers.append("".join(sorted({letter, "D" if letter != "D" else "A"})))
        context = " " + "\n ".join(sentence.lower().replace(".", " .") for sentence in sentences)
        lines.append({"context": context, "questions": asked, "answer": answers, "num_question": len(asked)})
    return "".join(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    for name, make in (("squad.json", squad), ("quality.jsonl", quality), ("toefl.jsonl", toefl)):
        (HERE / name).write_text(make(random.Random(name)), encoding="utf-8")
