"""Instruction-like sentences for distilling the sentence table.

A grammar of household and tabletop manipulation: every *meaning* (what to do, to what, where) has
several wordings. Meanings are drawn at random from a seed; a fixed share of them is held out, with
all their wordings, so that the metrics are measured on meanings that the fit never saw.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

COLOURS = """red green blue yellow orange purple pink white black grey gray brown cyan magenta violet
teal turquoise beige golden silver dark light maroon navy lime""".split()
LOOKS = """small big large tiny little round square tall short wooden plastic metal glass ceramic soft
hard heavy striped transparent empty full leftmost rightmost nearest farthest left right middle other
first second last clean dirty shiny""".split()

# Words that may stand for the same thing share a line; the first one is the thing's name.
THINGS = [line.split("|") for line in """
block|cube|brick|box
ball|sphere
cylinder|tube
peg|pin|rod
ring|loop
disk|disc|puck
cone|pyramid
mug|cup
glass|tumbler
bottle|flask
can|tin
jar|pot
bowl
plate|dish
spoon|ladle
fork
knife
spatula|turner
whisk
pan|skillet
kettle
sponge|scrubber
towel|cloth|rag
napkin|tissue
brush
bucket|pail
apple
banana
orange
lemon
carrot
tomato
potato
onion
egg
bread|loaf
cheese
cookie|biscuit
sandwich
cereal
milk
juice
soda|coke
book
notebook
pen
pencil
marker|felt pen
eraser|rubber
scissors
stapler
tape
ruler
paper|sheet
envelope
card
phone|cell phone
remote|remote control
keys
coin
wallet
watch
glasses|spectacles
hat|cap
shoe
sock
shirt
toy|toy car
doll
teddy bear|stuffed animal
dice|die
domino
puzzle piece
screw
bolt
nut
nail
screwdriver
wrench|spanner
hammer
pliers
drill
wire|cable
plug
battery
bulb|light bulb
rope|string
clip
candle
flower
vase
soap
toothbrush
comb
object|thing|item
""".strip().splitlines()]
SURFACES = [line.split("|") for line in """
table|tabletop|desk
plate|dish|saucer
shelf|rack
mat|pad
line|mark
square|target|goal area
counter|worktop|countertop
stove|burner|cooktop
chair|seat
floor|ground
book
box
tray
scale
coaster
cabinet
board|cutting board
""".strip().splitlines()]
CONTAINERS = [line.split("|") for line in """
tray|platter
box|crate|carton
basket|hamper
bin|trash can|garbage bin|dustbin
bowl
drawer
cup|mug
pan|pot
sink|basin
bag|sack
bucket|pail
cabinet|cupboard
fridge|refrigerator
oven
microwave
dishwasher
jar
container|bin
hole|slot|socket
""".strip().splitlines()]
DOORS = [line.split("|") for line in """
drawer|top drawer
bottom drawer|lower drawer
door
cabinet|cupboard
fridge|refrigerator
microwave
oven
box|lid of the box
window
jar
laptop
gate
dishwasher
""".strip().splitlines()]
BUTTONS = [line.split("|") for line in """
button|push button
switch|toggle
key
doorbell|bell
power button
""".strip().splitlines()]
KNOBS = [line.split("|") for line in """
lever|handle
knob|dial
valve
faucet|tap
crank|wheel
screw
bottle cap|lid
""".strip().splitlines()]
LIGHTS = [["light", "lamp"], ["led"], ["bulb"], ["stove"], ["fan"], ["radio"]]
WHERE = ["to the left|left|leftwards|to the left side", "to the right|right|rightwards|to the right side",
         "forward|forwards|ahead", "backward|back|backwards", "away from the robot|away from you",
         "towards the robot|towards you|closer", "to the middle|to the center|to the centre",
         "to the edge|to the border", "to the corner"]
WHERE = [w.split("|") for w in WHERE]
WAYS = [w.split("|") for w in ["clockwise|to the right", "counterclockwise|anticlockwise|to the left"]]
FIXED = ("where", "way")  # these take no article and no looks

# What can be asked, with what it is asked of and the ways of saying it.
TASKS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "pick": (("thing",), ["pick up {0}", "pick {0} up", "grab {0}", "grasp {0}", "lift {0}", "lift {0} up",
                          "lift up {0}", "take {0}", "raise {0}", "get hold of {0}", "hold {0} up", "collect {0}",
                          "take {0} off the table", "lift {0} from the table", "seize {0}"]),
    "bring": (("thing",), ["bring me {0}", "hand me {0}", "give me {0}", "pass me {0}", "fetch {0}",
                           "get me {0}", "hand over {0}"]),
    "push": (("thing", "where"), ["push {0} {1}", "slide {0} {1}", "shove {0} {1}", "nudge {0} {1}",
                                  "move {0} {1}", "shift {0} {1}"]),
    "push_to": (("thing", "surface"), ["push {0} to {1}", "push {0} onto {1}", "slide {0} to {1}",
                                       "shove {0} towards {1}", "move {0} to {1}", "nudge {0} over to {1}"]),
    "pull": (("thing",), ["pull {0}", "drag {0}", "pull {0} closer", "drag {0} towards you", "tug {0}"]),
    "place_on": (("thing", "surface"), ["put {0} on {1}", "place {0} on {1}", "set {0} down on {1}",
                                        "put {0} onto {1}", "lay {0} on {1}", "rest {0} on {1}",
                                        "leave {0} on {1}", "place {0} on top of {1}", "put {0} down on {1}",
                                        "move {0} onto {1}", "position {0} on {1}"]),
    "place_in": (("thing", "container"), ["put {0} in {1}", "put {0} into {1}", "place {0} in {1}",
                                          "place {0} inside {1}", "drop {0} into {1}", "drop {0} in {1}",
                                          "move {0} into {1}", "store {0} in {1}", "toss {0} into {1}"]),
    "take_out": (("thing", "container"), ["take {0} out of {1}", "remove {0} from {1}", "get {0} out of {1}",
                                          "pull {0} out of {1}", "pick {0} from {1}", "lift {0} out of {1}"]),
    "stack": (("thing", "thing"), ["stack {0} on {1}", "stack {0} on top of {1}", "put {0} on top of {1}",
                                   "place {0} on {1}", "pile {0} on {1}", "set {0} on top of {1}",
                                   "balance {0} on {1}", "build a tower with {0} on {1}"]),
    "unstack": (("thing", "thing"), ["unstack {0} from {1}", "take {0} off {1}", "remove {0} from {1}",
                                     "lift {0} off {1}"]),
    "beside": (("thing", "thing"), ["put {0} next to {1}", "place {0} beside {1}", "move {0} next to {1}",
                                    "set {0} down near {1}", "put {0} close to {1}", "put {0} by {1}"]),
    "behind": (("thing", "thing"), ["put {0} behind {1}", "place {0} behind {1}", "move {0} behind {1}"]),
    "front": (("thing", "thing"), ["put {0} in front of {1}", "place {0} in front of {1}",
                                   "move {0} in front of {1}"]),
    "open": (("door",), ["open {0}", "open up {0}", "pull {0} open", "pull open {0}", "slide {0} open"]),
    "close": (("door",), ["close {0}", "shut {0}", "push {0} closed", "push {0} shut", "slide {0} closed",
                          "slide {0} shut"]),
    "press": (("button",), ["press {0}", "push {0}", "press down {0}", "press down on {0}", "hit {0}", "tap {0}",
                            "push {0} down", "click {0}", "depress {0}"]),
    "turn": (("knob",), ["turn {0}", "rotate {0}", "twist {0}", "turn {0} around", "spin {0}", "crank {0}"]),
    "turn_way": (("knob", "way"), ["turn {0} {1}", "rotate {0} {1}", "twist {0} {1}", "spin {0} {1}"]),
    "pull_lever": (("knob",), ["pull {0}", "pull down {0}", "flip {0}", "swing {0}", "move {0}"]),
    "switch_on": (("light",), ["turn on {0}", "switch on {0}", "turn {0} on", "switch {0} on", "activate {0}",
                               "power on {0}", "light up {0}"]),
    "switch_off": (("light",), ["turn off {0}", "switch off {0}", "turn {0} off", "switch {0} off",
                                "deactivate {0}", "shut off {0}", "power off {0}"]),
    "insert": (("thing", "container"), ["insert {0} into {1}", "insert {0} in {1}", "plug {0} into {1}",
                                        "fit {0} into {1}", "stick {0} into {1}", "push {0} into {1}",
                                        "slot {0} into {1}"]),
    "pour": (("thing", "container"), ["pour {0} into {1}", "empty {0} into {1}", "tip {0} into {1}"]),
    "wipe": (("surface",), ["wipe {0}", "clean {0}", "wipe down {0}", "scrub {0}", "wash {0}"]),
    "flip": (("thing",), ["flip {0}", "flip {0} over", "turn {0} over", "turn {0} upside down", "overturn {0}"]),
    "upright": (("thing",), ["stand {0} up", "set {0} upright", "put {0} upright", "straighten {0}"]),
    "knock": (("thing",), ["knock over {0}", "knock {0} over", "tip {0} over", "topple {0}"]),
    "touch": (("thing",), ["touch {0}", "reach for {0}", "reach {0}", "poke {0}", "point at {0}", "point to {0}"]),
    "release": (("thing",), ["release {0}", "let go of {0}", "drop {0}", "put {0} down", "set {0} down"]),
    "fold": (("thing",), ["fold {0}", "fold up {0}", "fold {0} in half"]),
    "throw": (("thing",), ["throw {0} away", "throw away {0}", "discard {0}", "get rid of {0}", "dispose of {0}"]),
    "stir": (("container",), ["stir {0}", "mix what is in {0}", "stir the contents of {0}"]),
    "sort": (("thing", "container"), ["sort {0} into {1}", "collect all of {0} in {1}", "gather {0} into {1}",
                                      "tidy {0} away into {1}"]),
    "hang": (("thing",), ["hang {0} on the hook", "hang up {0}", "hang {0} up"]),
    "screw": (("thing",), ["screw in {0}", "tighten {0}", "screw {0} tight"]),
    "unscrew": (("thing",), ["unscrew {0}", "loosen {0}", "screw {0} off"]),
}
SLOTS = {"thing": THINGS, "surface": SURFACES, "container": CONTAINERS, "door": DOORS,
         "button": BUTTONS, "knob": KNOBS, "light": LIGHTS, "where": WHERE, "way": WAYS}

BEFORE = ["please ", "can you ", "could you ", "could you please ", "now ", "robot, ", "you should ", "try to ",
          "go and ", "i want you to ", "next, ", "your task is to "]
AFTER = [" please", " now", " carefully", " slowly", " gently", " quickly", " with the gripper", " for me", "."]
PLAIN = ["stop", "stop moving", "wait", "go home", "go back to the start", "move to the home position", "do nothing",
         "start", "continue", "open the gripper", "close the gripper", "try again", "be careful", "faster",
         "slower", "move left", "move right", "move up", "move down", "clean up the table", "set the table",
         "clear the table", "tidy up", "make coffee", "put everything away"]


# Tasks that undo each other and are asked of the same things.
OPPOSITES = [("open", "close"), ("switch_on", "switch_off"), ("place_in", "take_out"), ("stack", "unstack"),
             ("pick", "release"), ("screw", "unscrew"), ("front", "behind"), ("insert", "take_out")]
OPPOSITE = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}


@dataclass(frozen=True)
class Sentence:
    """One sentence, the meaning it expresses and whether that meaning is held out."""

    text: str
    meaning: str
    held_out: bool


@dataclass(frozen=True)
class Triple:
    """Two wordings of one meaning, and another meaning that differs in one thing only."""

    text: str
    paraphrase: str
    other: str


@dataclass(frozen=True)
class _Noun:
    """Something to act on: its looks and the names that mean the same."""

    looks: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return self.looks + self.names[0]


@dataclass(frozen=True)
class _Meaning:
    task: str
    nouns: tuple[_Noun, ...]

    def __str__(self) -> str:
        return self.task + "(" + ", ".join(map(str, self.nouns)) + ")"

    @property
    def held_out(self) -> bool:
        return zlib.crc32(str(self).encode()) % 20 == 0


def _looks(kind: str, draw: random.Random) -> str:
    if kind in FIXED or (kind != "thing" and draw.random() < 0.75):
        return ""
    chance = draw.random()
    if chance < 0.6:
        return draw.choice(COLOURS) + " "
    if chance < 0.75:
        return draw.choice(LOOKS) + " "
    if chance < 0.85:
        return draw.choice(LOOKS) + " " + draw.choice(COLOURS) + " "
    return ""


def _noun(kind: str, draw: random.Random) -> _Noun:
    return _Noun(_looks(kind, draw), tuple(draw.choice(SLOTS[kind])))


def _meaning(draw: random.Random, directed: float = 0.0) -> _Meaning:
    """One at random; a share of `directed` is drawn from the tasks that have a direction."""
    names = sorted(TASKS)
    if draw.random() < directed:
        names = [name for name in names if TASKS[name][0][-1] in FIXED]
    task = draw.choices(names, [len(TASKS[name][1]) for name in names])[0]
    return _Meaning(task, tuple(_noun(kind, draw) for kind in TASKS[task][0]))


def _article(draw: random.Random) -> str:
    return draw.choices(["the ", "a ", "that ", "this ", ""], [70, 8, 4, 3, 15])[0]


def _say(meaning: _Meaning, wording: str, draw: random.Random) -> str:
    kinds = TASKS[meaning.task][0]
    words = [draw.choice(noun.names) if kind in FIXED else _article(draw) + noun.looks + draw.choice(noun.names)
             for kind, noun in zip(kinds, meaning.nouns)]
    text = wording.format(*words)
    if draw.random() < 0.15:
        text = draw.choice(BEFORE) + text
    if draw.random() < 0.10:
        text += draw.choice(AFTER)
    return text


def sentences(count: int, seed: int) -> list[Sentence]:
    """`count` different sentences, about three wordings for each meaning; the same for the same seed."""
    draw = random.Random(seed)
    seen: dict[str, Sentence] = {text: Sentence(text, text, False) for text in PLAIN}
    while len(seen) < count:
        meaning = _meaning(draw)
        wordings = TASKS[meaning.task][1]
        for wording in draw.sample(wordings, min(3, len(wordings))):
            text = _say(meaning, wording, draw)
            seen.setdefault(text, Sentence(text, str(meaning), meaning.held_out))
    return list(seen.values())[:count]


def _neighbour(meaning: _Meaning, draw: random.Random) -> _Meaning:
    """The same with one thing changed: the looks of a noun, a noun, or the task to its opposite."""
    opposite = OPPOSITE.get(meaning.task)
    if opposite and draw.random() < 0.5:
        return _Meaning(opposite, meaning.nouns[:len(TASKS[opposite][0])])
    kinds = TASKS[meaning.task][0]
    at = draw.randrange(len(kinds))
    if kinds[-1] in FIXED and draw.random() < 0.8:
        at = len(kinds) - 1
    noun = meaning.nouns[at]
    if noun.looks and draw.random() < 0.6:
        noun = _Noun(draw.choice(COLOURS) + " ", noun.names)
    else:
        noun = _Noun(noun.looks, tuple(draw.choice(SLOTS[kinds[at]])))
    return _Meaning(meaning.task, meaning.nouns[:at] + (noun,) + meaning.nouns[at + 1:])


def triples(count: int, seed: int) -> list[Triple]:
    """`count` triples of meanings that are not held out. The other meaning is said in the words of
    the first text where the task allows it, so that only the word that matters tells them apart."""
    draw = random.Random(seed)
    found: list[Triple] = []
    while len(found) < count:
        meaning = _meaning(draw, directed=0.15)
        other = _neighbour(meaning, draw)
        if str(other) == str(meaning) or meaning.held_out or other.held_out:
            continue
        first, second = draw.sample(TASKS[meaning.task][1], 2)
        third = first if other.task == meaning.task else draw.choice(TASKS[other.task][1])
        # `mug` may be a cup or a thing of its own: names that overlap are no other meaning.
        same_names = [not set(a.names).isdisjoint(b.names) for a, b in zip(meaning.nouns, other.nouns)]
        same_looks = [a.looks == b.looks for a, b in zip(meaning.nouns, other.nouns)]
        if other.task == meaning.task and all(same_names) and all(same_looks):
            continue
        found.append(Triple(_say(meaning, first, draw), _say(meaning, second, draw), _say(other, third, draw)))
    return found


def word_lists(words: list[str], count: int, seed: int) -> list[str]:
    """`count` lists of two to five words drawn from `words` (most frequent first; a common word is
    likelier), so that words outside the grammar are fitted in company too."""
    draw = random.Random(seed)
    lists = []
    for _ in range(count):
        chosen = [words[min(int(len(words) * draw.random() ** 1.5), len(words) - 1)]
                  for _ in range(draw.randint(2, 5))]
        lists.append(" ".join(chosen))
    return lists
