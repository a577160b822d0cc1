# SPDX-License-Identifier: Apache-2.0
"""The two workers that are compared, and what each calls the same things.

`translate` puts a side's words into a request, `plain` takes them out of an answer again. What is
left must be equal.
"""

import re

from contract.wire import Answer, encode, exchange

# Keys of every connector that the framework defines, as Connect 4.1 has them. What is not here, nor
# in steps.py, is a connector's own and differs by nature.
COMMON = """name connector.class connector.plugin.version tasks.max tasks.max.enforce
    key.converter key.converter.plugin.version value.converter value.converter.plugin.version
    header.converter header.converter.plugin.version transforms predicates config.action.reload
    errors.retry.timeout errors.retry.delay.max.ms errors.tolerance errors.log.enable
    errors.log.include.messages""".split()
CONVERTER_GROUPS = ("Serialization", "Schemas")
PREFIXES = ("transforms.", "predicates.", "key.converter.", "value.converter.", "header.converter.")
PREFIXES += ("producer.override.", "consumer.override.", "admin.override.", "topic.creation.")


class Side:
    """A worker that answers requests: `words` are its names of things, `own` its connectors' keys."""

    def __init__(self, name, part, words, own):
        self.name = name
        self.part = part
        self.words = words
        self.own = own
        self.extras = ()
        # Longest first, so that no word is found within another. Connect's classes are of one
        # version, Sluice's of two.
        self.exact = {**{name: word.strip() for word, name in words.items()}, words["@version"]: "4.1.1"}
        self.names = sorted(self.exact.items(), key=lambda pair: -len(pair[0]))

    def ask(self, pair):
        """Sends the pair's request; the answer as it came."""
        body = pair.payload(self.translate)
        raw = encode(
            pair.method,
            self.translate(pair.target),
            f"127.0.0.1:{self.part.port}",
            pair.headers,
            body,
        )
        return exchange(self.part.port, raw, pair.method)

    def translate(self, value):
        """A request's value with this side's words in it."""
        if isinstance(value, str):
            for word, name in sorted(self.words.items(), reverse=True):
                value = value.replace(word, name)
            return value
        if isinstance(value, list):
            return [self.translate(item) for item in value]
        if isinstance(value, dict):
            made = {}
            for key, item in value.items():
                if key.startswith("@own "):
                    made.update(self.own[key[5:]])
                else:
                    made[self.translate(key)] = self.translate(item)
            return made
        return value

    def plain(self, answer, extras=()):
        """The answer without what is this side's own; `extras`: framework keys besides COMMON."""
        self.extras = extras
        headers = {name: self._text(value) for name, value in answer.headers.items()}
        if "Allow" in headers:
            headers["Allow"] = methods(headers["Allow"])
        body = answer.body
        if isinstance(body, str):
            is_list = headers.get("Content-Type") == "text/plain"
            body = methods(body) if is_list else self._text(body)
        body = self._plain(body)
        # Names of connectors come in no order.
        if isinstance(body, list) and all(isinstance(item, str) for item in body):
            body = sorted(body)
        return Answer(answer.status, headers, body)

    def _text(self, text):
        text = text.replace(self.part.url, "@url").replace(f"127.0.0.1:{self.part.port}", "@worker")
        # The list of known classes is each side's own.
        text = re.sub(r"available connectors are: .*", "available connectors are: @list", text)
        if text in self.exact:
            return self.exact[text]
        # Which of a class's names stands in a sentence is no part of the contract.
        for name, word in self.names:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w])", word, text)
        return re.sub("@(source|sink)(connector|class)", r"@\1", text)

    def _plain(self, value):
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return self._list(value)
        if not isinstance(value, dict):
            return value
        if "connector.class" in value and isinstance(value["connector.class"], str):
            value = self._config(value)
        made = {self._text(key): self._plain(item) for key, item in value.items()}
        if "groups" in made and isinstance(value.get("configs"), list):
            kept = {_group(item) for item in made["configs"]}
            own = {_group(item) for item in value["configs"]} - kept
            made["groups"] = [group for group in made["groups"] if group not in own]
            made["groups"] = _sorted_tail(made["groups"])
        if "commit" in made and "kafka_cluster_id" in made:
            made["commit"] = bool(made["commit"])
        if "documentation" in made:
            made["documentation"] = bool(made["documentation"])
        if made.get("last_modified") is not None and "level" in made:
            made["last_modified"] = "@time"
        if "task.class" in made:
            made = {"task.class": "@task"}
        if made.get("trace"):
            made["trace"] = "@trace"
        if isinstance(made.get("topics"), list):
            made["topics"] = sorted(made["topics"])
        return made

    def _list(self, items):
        items = [item for item in items if not self._is_own(item)]
        made = []
        for item in items:
            plain = self._plain(item)
            # A connector is listed under each of its full names.
            if isinstance(plain, dict) and plain.get("type") in ("source", "sink"):
                if str(plain.get("class", "")).startswith("@"):
                    plain["class"] = f"@{plain['type']}"
                    if made[-1:] == [plain]:
                        continue
            made.append(plain)
        return made

    def _is_own(self, item):
        """Whether a list's item is the definition of a connector's own key."""
        if not isinstance(item, dict):
            return False
        value = item.get("value")
        value = value if isinstance(value, dict) else item
        name = value.get("name")
        if not {"visible", "order"} & set(value):
            return False
        known = name in COMMON or name in self.extras or name.startswith(PREFIXES)
        return not known and not (isinstance(item.get("definition", 0), type(None)))

    def _config(self, config):
        """A connector's config with its own keys as one word."""
        made = dict(config)
        for kind, own in self.own.items():
            if all(made.get(key) == value for key, value in own.items()):
                made = {key: value for key, value in made.items() if key not in own}
                made[f"@own {kind}"] = ""
        return made


def _sorted_tail(groups):
    """Connect lists the groups of converters last, in the order of a hash table."""
    tail = [group for group in groups if group in CONVERTER_GROUPS]
    return [group for group in groups if group not in CONVERTER_GROUPS] + sorted(tail)


def _group(item):
    definition = item.get("definition") if isinstance(item, dict) else None
    return definition.get("group") if isinstance(definition, dict) else None


def methods(text):
    """A list of HTTP methods in one order."""
    return ",".join(sorted(part.strip() for part in text.split(",")))
