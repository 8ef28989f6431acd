"""What pocket.yaml calls: pictures, right answers, and the rule of docs/EVALUATING.md for texts."""

from PIL import Image


def pictures(item):
    return [Image.open(path).convert("RGB") for path in item["pictures"]]


def right_answers(item):
    return item["right"]


def normalised(text):
    # ASCII alone: capitals and white space of other alphabets are themselves.
    words = "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)
    text = " ".join(word for word in words.replace("\v", " ").replace("\f", " ").replace("\r", " ").replace("\t", " ")
                    .replace("\n", " ").split(" ") if word)
    return text.removesuffix(".").removesuffix(" ")


def score(item, answers):
    return {"accuracy": float(normalised(answers[0]) in map(normalised, item["right"]))}
