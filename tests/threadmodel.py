"""REFERENCES as RFC 5256 writes it, step by step, slow and plain: what the fast one is compared with."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Node:
    """A message, or a dummy: then ``number`` is None."""

    number: int | None = None
    date: int = 0
    subject: str = ""
    reply: bool = False
    parent: Node | None = None
    children: list[Node] = attrs.field(factory=list)

    def key(self) -> tuple[int, int]:
        """What siblings are sorted by; a dummy by its first child."""
        if self.number is None:
            return min(child.key() for child in self.children)
        return self.date, self.number

    def thread_subject(self) -> str:
        if self.number is None:
            return min(self.children, key=Node.key).subject
        return self.subject

    def detach(self) -> None:
        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None

    def below(self, other: Node) -> bool:
        node: Node | None = self
        while node is not None:
            if node is other:
                return True
            node = node.parent
        return False

    def adopt(self, child: Node) -> None:
        child.detach()
        child.parent = self
        self.children.append(child)


@attrs.frozen
class Mail:
    id: str | None
    references: tuple[str, ...]
    date: int
    subject: str
    reply: bool


def link(parent: Node, child: Node) -> None:
    if not parent.below(child):
        parent.adopt(child)


def step_1(messages: list[Mail]) -> list[Node]:
    """All nodes, dummies too."""
    nodes = [Node(number, mail.date, mail.subject, mail.reply) for number, mail in enumerate(messages)]
    table: dict[str, Node] = {}
    for node, mail in zip(nodes, messages, strict=True):
        if mail.id is not None and mail.id not in table:
            table[mail.id] = node
    everything = list(nodes)
    for node, mail in zip(nodes, messages, strict=True):
        last: Node | None = None
        for reference in mail.references:
            if reference not in table:
                table[reference] = Node()
                everything.append(table[reference])
            found = table[reference]
            if last is not None and found.parent is None:
                link(last, found)
            last = found
        node.detach()
        if last is not None:
            link(last, node)
    return everything


def prune(siblings: list[Node], top: bool) -> list[Node]:
    """Step 3 for some siblings and all below them."""
    out: list[Node] = []
    for node in siblings:
        node.children = prune(node.children, False)
        if node.number is not None or top and len(node.children) > 1:
            out.append(node)
        else:
            out += node.children
    return out


def step_5(roots: list[Node]) -> list[Node]:
    roots = sorted(roots, key=Node.key)                                # step 4
    subjects = {id(root): root.thread_subject() for root in roots}
    table: dict[str, Node] = {}
    for root in roots:
        subject = subjects[id(root)]
        if not subject:
            continue
        there = table.get(subject)
        if there is None or there.number is not None and (
                root.number is None or there.reply and not root.reply):
            table[subject] = root
    root_set = list(roots)
    for root in roots:
        subject = subjects[id(root)]
        if not subject or root not in root_set or table[subject] is root:
            continue
        there = table[subject]
        root_set.remove(root)
        if there.number is None and root.number is None:
            there.children += root.children
        elif there.number is None or root.reply and not there.reply:
            there.children.append(root)
        else:
            dummy = Node(children=[there, root])
            root_set.remove(there)
            root_set.append(dummy)
            table[subject] = dummy
    return root_set


def written(node: Node) -> str:
    """thread-list."""
    text = "" if node.number is None else str(node.number)
    below = [written(child) for child in sorted(node.children, key=Node.key)]
    if len(below) == 1 and text:
        return f"({text} {below[0][1:]}"
    return f"({text}{' ' if text and below else ''}{''.join(below)})"


def references(messages: list[Mail]) -> str:
    roots = [node for node in step_1(messages) if node.parent is None]
    return "".join(map(written, sorted(step_5(prune(roots, True)), key=Node.key)))
