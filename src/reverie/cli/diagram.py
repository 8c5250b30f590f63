"""A network drawn as SVG: what reads what, from the picture at the top to the classes at the bottom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import takewhile

from reverie.network import Layer, Network

BOX, LINE, PITCH, ROW_HEIGHT = 190, 15, 200, 60
"""Width of a box, height of a line of text, and the pitch of columns and rows, in pixels."""

FOLDED = ("relu", "batchnorm2d", "localresponsenorm", "dropout")
"""Kinds that are drawn in the box of the layer before them where nothing else reads it."""

COLORS = {"conv": "#dbe9fb", "pool": "#dcf1dc", "linear": "#ecdff8", "image": "#fff3d1", "concat": "#ffffff"}


@dataclass(eq=False)
class Node:
    """A box, a joint of branches, or a bend in a long line (which has no text)."""

    text: tuple[str, ...] = ()
    kind: str = ""
    readers: list[Node] = field(default_factory=list)
    sources: list[Node] = field(default_factory=list)
    row: int = 0
    x: float = 0.0

    def read(self, source: Node) -> None:
        self.sources.append(source)
        source.readers.append(self)

    @property
    def width(self) -> float:
        """In columns."""
        return 1.0 if self.text else 0.25


def diagram(network: Network) -> str:
    """``network`` as the text of an SVG file: a box for each layer, joined to those that it reads.

    A ReLU or a norm stands in the box of its convolution. Branches that come together are joined by a
    box with the name of their block.
    """
    rows = _placed(_nodes(network))
    low = min(node.x - node.width / 2 for row in rows for node in row)
    high = max(node.x + node.width / 2 for row in rows for node in row)
    width, height = (high - low) * PITCH + 40, len(rows) * ROW_HEIGHT + 60

    def at(node: Node) -> tuple[float, float]:
        return (node.x - low) * PITCH + 20, node.row * ROW_HEIGHT + 70

    lines, boxes = [], []
    for row in rows:
        for node in row:
            x, y = at(node)
            if node.text:
                boxes.append(_box(node, x, y))
            for reader in node.readers:
                to_x, to_y = at(reader)
                start, end = (
                    each + sign * _half(of) for each, sign, of in ((y, 1, node), (to_y, -1, reader))
                )
                middle = (start + end) / 2
                lines.append(
                    f'<path d="M{x:.0f} {start:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} '
                    f'{to_x:.0f} {end:.0f}"/>'
                )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="10">',
            f"<title>{escape(network.name)}</title>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            f'<text x="20" y="28" font-size="18" font-weight="bold">{escape(network.name)}</text>',
            '<g fill="none" stroke="#8a93a0">',
            *lines,
            "</g>",
            '<g stroke="#8a93a0" text-anchor="middle">',
            *boxes,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _half(node: Node) -> float:
    return (len(node.text) * LINE + 4) / 2 if node.text else 0


def _box(node: Node, x: float, y: float) -> str:
    color = next((color for kind, color in COLORS.items() if kind in node.kind), "#f1f2f4")
    half = _half(node)
    corner = 12 if node.kind == "concat" else 4
    found = (
        f'<rect x="{x - BOX / 2:.0f}" y="{y - half:.0f}" width="{BOX}" height="{2 * half:.0f}" rx="{corner}" '
        f'fill="{color}"/>'
    )
    for at, line in enumerate(node.text):
        weight = "" if at else ' font-weight="bold"'
        below = y - half + LINE * (at + 1) - 2
        found += f'<text x="{x:.0f}" y="{below:.0f}" stroke="none"{weight}>{escape(line)}</text>'
    return found


def _nodes(network: Network) -> list[Node]:
    """The boxes in the order of the forward pass, the picture first, each before its readers."""
    leaves = [layer for layer in network.layers if layer.kind != "block"]
    blocks = {layer.name: layer for layer in network.layers if layer.kind == "block"}
    read_by: dict[str, int] = {}
    groups: dict[tuple[str, ...], int] = {}
    for layer in leaves:
        groups[layer.inputs] = groups.get(layer.inputs, 0) + 1
        for name in layer.inputs:
            read_by[name] = read_by.get(name, 0) + 1
    nodes = [Node(("picture",), "image")]
    made, joints, kinds = {"image": nodes[0]}, dict[tuple[str, ...], Node](), dict[Node, list[str]]()
    for layer in leaves:
        if layer.kind in FOLDED and len(layer.inputs) == 1 and read_by[layer.inputs[0]] == 1:
            box = made[layer.inputs[0]]
            if box in kinds:
                kinds[box].append(layer.kind)
                box.text = (box.text[0], _facts(kinds[box], layer))
                made[layer.name] = box
                continue
        node = Node((_title(layer), _facts([layer.kind], layer)), layer.kind)
        block = blocks.get(_shared(layer.inputs))
        if block and layer.name.startswith(f"{block.name}."):
            block = None  # the sum within a residual block is not yet what the block gives
        if len(layer.inputs) > 1 and (groups[layer.inputs] > 1 or block):
            if layer.inputs not in joints:
                joint = Node((_title(block), _size(block)) if block else ("+",), "concat")
                for name in layer.inputs:
                    joint.read(made[name])
                joints[layer.inputs] = joint
                nodes.append(joint)
            node.read(joints[layer.inputs])
        else:
            for name in layer.inputs:
                node.read(made[name])
        made[layer.name] = node
        kinds[node] = [layer.kind]
        nodes.append(node)
    return nodes


def _shared(paths: Iterable[str]) -> str:
    """The dotted path that all of ``paths`` lie in."""
    levels = zip(*(path.split(".") for path in paths), strict=False)
    return ".".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _title(layer: Layer) -> str:
    """Its traditional name and its path, where both have room."""
    both = f"{layer.aliases[0]} · {layer.name}" if layer.aliases else layer.name
    return both if len(both) <= 28 else layer.name


def _size(layer: Layer) -> str:
    return f"{layer.channels} ch" + (f" · /{layer.stride}" if layer.stride else "")


def _facts(kinds: Iterable[str], layer: Layer) -> str:
    short = {"batchnorm2d": "bn", "localresponsenorm": "lrn"}
    plain = (short.get(kind, kind.removesuffix("2d").removeprefix("adaptive")) for kind in kinds)
    return f"{' + '.join(plain)} · {_size(layer)}"


def _placed(nodes: list[Node]) -> list[list[Node]]:
    """The rows from top to bottom, with a place for every node, and bends where a line is long."""
    for node in nodes:
        node.row = max((source.row + 1 for source in node.sources), default=0)
    for node in list(nodes):
        for at, reader in enumerate(node.readers):
            last, side = node, reader.sources.index(node)
            while last.row + 1 < reader.row:
                bend = Node(row=last.row + 1, sources=[last], readers=[reader])
                if last is node:
                    node.readers[at] = bend
                else:
                    last.readers = [bend]
                reader.sources[side] = bend
                nodes.append(bend)
                last = bend
    rows: list[list[Node]] = [[] for _ in range(max(node.row for node in nodes) + 1)]
    for node in nodes:
        rows[node.row].append(node)
    for row in rows[1:]:
        wished = {node: _wish(node) for node in row}
        row.sort(key=wished.__getitem__)
        reach = 0.0
        for at, node in enumerate(row):
            least = reach + node.width / 2
            node.x = max(wished[node], least) if at else wished[node]
            reach = node.x + node.width / 2
        # As far to the left as they had to go to the right.
        moved = sum(node.x - wished[node] for node in row) / len(row)
        for node in row:
            node.x -= moved
    return rows


def _wish(node: Node) -> float:
    """Below the middle of what it reads, beside the others that read it."""
    wishes = []
    for source in node.sources:
        at, count = source.readers.index(node), len(source.readers)
        wishes.append(source.x + (at - (count - 1) / 2))
    # Where branches come together their middle counts, not how each of them forks.
    return (
        sum(wishes) / len(wishes) if len(wishes) == 1 else sum(each.x for each in node.sources) / len(wishes)
    )
