# SPDX-License-Identifier: Apache-2.0
"""The table "Differences from Kafka Connect" of rest/README.md, and what its rows allow.

Some rows say exactly how Sluice's answer follows from Connect's: these have a rule here. For the
others the pair that names the row says what Sluice answers.
"""

import pathlib
import re

from contract.wire import Answer

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "rest" / "README.md"
HEADING = "## Differences from Kafka Connect"


def listed(text=None):
    """{id: the name of the test that shows it, or "" if a pair does} of the table's rows."""
    text = README.read_text(encoding="utf-8") if text is None else text
    section = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| `"):
            continue
        ident = cells[0].strip("`")
        if ident in rows:
            raise ValueError(f"two rows with id {ident}")
        shown = re.search(r"`(test_\w+)`", line)
        rows[ident] = shown.group(1) if shown else ""
    return rows


def _error_type(answer):
    """404, 405, 406 and 415 of the HTTP layer get the media type of all other errors."""
    if answer.status in (404, 405, 406, 415) and "Content-Type" not in answer.headers:
        headers = {**answer.headers, "Content-Type": "application/json"}
        return Answer(answer.status, headers, answer.body)
    return answer


def _allow(answer):
    """A 405 says which methods there are; the list itself is compared where OPTIONS asks for it."""
    headers = {**answer.headers, "Allow": ANY} if answer.status == 405 else answer.headers
    return Answer(answer.status, headers, answer.body)


def _java_names(answer):
    """Connect puts the names of Java classes before some texts, depending on what came before."""
    body = answer.body
    if isinstance(body, dict) and "message" in body:
        body = {**body, "message": re.sub(r"^((java|org)\.[\w.]+Exception: )+", "", body["message"])}
    return Answer(answer.status, answer.headers, body)


def _status_version(answer):
    """Connect does not know the version of what failed."""

    def known(value):
        if isinstance(value, list):
            return [known(item) for item in value]
        if not isinstance(value, dict):
            return value
        made = {key: known(item) for key, item in value.items()}
        if "worker_id" in made and made.get("version", "") is None:
            made["version"] = "4.1.1"
        return made

    return Answer(answer.status, answer.headers, known(answer.body))


class _Any:
    """Equal to every text."""

    def __eq__(self, other):
        return isinstance(other, str)

    def __hash__(self):
        return 0


ANY = _Any()
RULES = {
    "error-type": _error_type,
    "allow": _allow,
    "java-names": _java_names,
    "status-version": _status_version,
}
# What Connect shows only after certain other requests: such a pair may also be equal.
SOMETIMES = {"java-names", "validate-version"}


def expected(pair, connect):
    """What Sluice is to answer where Connect gave this answer (plain form)."""
    for ident in pair.differs:
        if ident in RULES:
            connect = RULES[ident](connect)
    return connect


def fits(pair, sluice):
    """Whether Sluice's answer is what a pair with a difference but no rule says.

    That is a function of the answer, or an error's status and how its message starts.
    """
    if callable(pair.sluice):
        return pair.sluice(sluice)
    status, start = pair.sluice
    if sluice.status != status:
        return False
    is_error = isinstance(sluice.body, dict) and set(sluice.body) == {"error_code", "message"}
    return (
        is_error
        and sluice.headers.get("Content-Type") == "application/json"
        and sluice.body["error_code"] == status
        and sluice.message.startswith(start)
    )
