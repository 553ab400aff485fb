"""What is rendered from the parser: the man page, and the completion for bash.

`python -m support.parser_pages` writes both into contrib/.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from dokku_registryd import PROGRAM, config
from dokku_registryd.verbs import arguments
from dokku_registryd.verbs.dokku import registryd_help

CONTRIB: Final = Path(__file__).parents[2] / "contrib"
MANUAL: Final = CONTRIB / "man" / f"{PROGRAM}.8"
COMPLETION: Final = CONTRIB / "bash-completion" / PROGRAM
_STATUSES: Final = {
    "0": "Done.",
    "1": "A job failed, or the service is not ready.",
    "2": "The command line is invalid.",
    "69": "The Docker Engine does not answer.",
    "75": "A registry could not be asked (drill).",
    "77": "This user may not read the data folder.",
    "78": "The settings are invalid.",
}
_FILES: Final = {
    "/etc/dokku-registryd/config.toml": "Settings. Each key is shown with its default.",
    "/etc/default/dokku-registryd": (
        "Variables for the service and the hooks, such as a proxy with a login."
    ),
    "/var/lib/dokku/data/registryd": (
        "Spool, replies and ledger; owned by dokku, closed to others."
    ),
    "/var/lib/dokku/config/registryd": "Properties of apps.",
    "/run/dokku-registryd/status.sock": "Health and metrics over HTTP.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb that people call."""

    name: str
    text: str
    parser: argparse.ArgumentParser

    @property
    def options(self) -> list[argparse.Action]:
        """Its options, without those that every verb has."""
        return [each for each in _options(self.parser) if each.dest not in _COMMON]

    @property
    def operands(self) -> list[argparse.Action]:
        """Its operands."""
        return [each for each in _actions(self.parser) if not each.option_strings]


_COMMON: Final = frozenset({"help", "config", "late_overrides", "debug"})


def build() -> argparse.ArgumentParser:
    """Return the parser of the program."""
    return arguments._build_parser()


def verbs(parser: argparse.ArgumentParser) -> list[Verb]:
    """Return the verbs that the help lists, in its order."""
    (found,) = (
        action
        for action in _actions(parser)
        if isinstance(action, argparse._SubParsersAction)
    )
    return [
        Verb(
            name=listed.dest,
            text=cast("str", listed.help),
            parser=cast("argparse.ArgumentParser", found.choices[listed.dest]),
        )
        for listed in found._choices_actions
    ]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return list(parser._actions)


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [each for each in _actions(parser) if each.option_strings]


# -- the man page (groff_man(7))


def manual() -> str:
    """Return the man page."""
    return "".join(f"{line}\n" for line in _manual(build()))


def _manual(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield r".\" Rendered from the parser by `make pages`."
    yield f'.TH {PROGRAM.upper()} 8 "" "{PROGRAM}" "System Administration"'
    yield ".SH NAME"
    yield rf"{_roff(PROGRAM)} \- push Dokku releases, and restore missing images"
    yield ".SH SYNOPSIS"
    yield f".B {_roff(PROGRAM)}"
    yield r"[\fIoptions\fR] \fIverb\fR [\fIarguments\fR]"
    yield ".SH DESCRIPTION"
    yield from _prose(_DESCRIPTION)
    yield ".SH VERBS"
    for verb in verbs(parser):
        yield ".TP"
        yield _synopsis(verb)
        yield _roff(f"{verb.text[0].upper()}{verb.text[1:]}.")
        for option in verb.options:
            yield ".RS"
            yield ".TP"
            yield _option(option)
            yield _roff(_sentence(option))
            yield ".RE"
    yield ".SH OPTIONS"
    yield "They may precede or follow the verb."
    for option in _options(parser):
        yield ".TP"
        yield _option(option)
        yield _roff(_sentence(option))
    yield ".SH COMMANDS OF DOKKU"
    yield from _prose("Users of Dokku call some verbs as its commands:")
    for line, text in registryd_help.COMMANDS.items():
        yield ".TP"
        yield rf"\fBdokku {_roff(line)}\fR"
        yield _roff(f"{text}.")
    yield ".SH EXIT STATUS"
    yield from _terms(_STATUSES)
    yield ".SH ENVIRONMENT"
    yield from _prose(cast("str", parser.epilog))
    yield ".SH FILES"
    yield from _terms(_FILES)
    yield ".SH SEE ALSO"
    yield ".BR docker (1),"
    yield ".BR journalctl (1),"
    yield ".BR systemctl (1)"


_DESCRIPTION: Final = (
    "A service that takes over the registry plugin of Dokku: it pushes every release "
    "with retries, verifies that the registry has it, and restores images of deployed "
    "apps that are missing on the host. Its hooks and verbs work without the service "
    "too; then each deploy does its own work."
)


def _synopsis(verb: Verb) -> str:
    words = [rf"\fB{_roff(verb.name)}\fR"]
    words += [f"[{_option(option)}]" for option in verb.options]
    for operand in verb.operands:
        name = rf"\fI{_roff(str(operand.metavar))}\fR"
        words.append(f"[{name}]" if operand.nargs == "?" else name)
    return " ".join(words)


def _option(option: argparse.Action) -> str:
    names = ", ".join(rf"\fB{_roff(name)}\fR" for name in option.option_strings)
    if option.choices:
        return f"{names} {_roff('|'.join(map(str, option.choices)))}"
    return rf"{names} \fI{_roff(str(option.metavar))}\fR" if option.metavar else names


def _sentence(option: argparse.Action) -> str:
    text = option.help or ""
    return f"{text[:1].upper()}{text[1:]}."


def _terms(rows: dict[str, str]) -> Iterator[str]:
    for term, text in rows.items():
        yield ".TP"
        yield rf"\fB{_roff(term)}\fR"
        yield _roff(text)


def _prose(text: str) -> Iterator[str]:
    """Yield a line for each sentence, as roff wants it."""
    yield from map(_roff, re.split(r"(?<=[.:]) (?=[A-Z])", text))


def _roff(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


# -- the completion for bash


def completion() -> str:
    """Return the completion script."""
    parser = build()
    everywhere = " ".join(_names(_options(parser)))
    listed = verbs(parser)
    cases = [
        f"    {verb.name})\n"
        f"      offered='{' '.join([*_names(verb.options), *_COMMON_NAMES])}'\n"
        + ("      takes_app=yes\n" if verb.operands else "")
        + "      ;;"
        for verb in listed
    ]
    return (
        _TEMPLATE.replace("@VERBS@", " ".join(verb.name for verb in listed))
        .replace("@EVERYWHERE@", everywhere)
        .replace(
            "@SETTINGS@",
            " ".join(
                f"{key}=" for key in config.fields() if key not in config.secret_keys()
            ),
        )
        .replace("@CASES@", "\n".join(cases))
    )


def _names(options: list[argparse.Action]) -> list[str]:
    return [name for each in options for name in each.option_strings]


_COMMON_NAMES: Final = ("--help", "--config", "--set", "--debug")
_TEMPLATE: Final = """\
# Completion of dokku-registryd for bash, rendered from its parser by `make pages`.
# shellcheck shell=bash
# `dokku-registryd install` puts it into bash-completion's folder below /usr/local. The
# commands `dokku registryd:*` are completed by Dokku.

_dokku_registryd() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local verb="" offered="" takes_app="" at folder
  COMPREPLY=()
  case $before in
    --format) offered="text json" ;;
    --set)
      offered='@SETTINGS@'
      compopt -o nospace 2>/dev/null
      ;;
    --config | --root)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      compopt -o filenames 2>/dev/null
      return
      ;;
  esac
  if [ -n "$offered" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
    return
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      --config | --set | --root | --format) ((at++)) ;;
      -* | = | *=*) ;;
      *)
        verb=${COMP_WORDS[at]}
        break
        ;;
    esac
  done
  case $verb in
    "") offered='@VERBS@ @EVERYWHERE@' ;;
@CASES@
  esac
  if [ -n "$takes_app" ] && [ "${word#-}" = "$word" ]; then
    # Apps are folders of Dokku's root, which may be closed to this user.
    for folder in "${DOKKU_ROOT:-/home/dokku}"/*/; do
      [ -d "$folder" ] || continue
      folder=${folder%/}
      offered="$offered ${folder##*/}"
    done
  fi
  mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
}

complete -F _dokku_registryd dokku-registryd
"""


if __name__ == "__main__":
    MANUAL.parent.mkdir(exist_ok=True)
    MANUAL.write_text(manual())
    COMPLETION.write_text(completion())
