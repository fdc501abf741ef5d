"""What is run on a host that may have nothing but a POSIX shell.

The scripts go to ``/bin/sh -s`` by standard input: whatever the user's login shell is, it sees
two plain words, and no secret is visible among the processes. Answers are lines that start with
a mark, so that the greeting of somebody's ``.bashrc`` does no harm.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence

from perijove.errors import InvalidInput

SHELL = ("/bin/sh", "-s")
MARK = "perijove:"
NO_FOLDER, NO_PROGRAM, NO_LOG = 95, 96, 97
"""Exit codes of `detached`."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

FACTS = r"""
say() { printf 'perijove:%s=%s\n' "$1" "$2"; }
say os "$(uname -s)"
say machine "$(uname -m)"
say hostname "$(uname -n)"
say user "$(id -un)"
say home "$HOME"
say cpus "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)"
say memory "$(awk '/^MemTotal:/ {printf "%.0f", $2 * 1024}' /proc/meminfo 2>/dev/null)"
say gpus "$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/glibc/gnu/')"
for file in /lib/ld-musl-*; do [ -e "$file" ] && say libc musl; done
say disk_free "$(df -Pk "$HOME" | awk 'NR == 2 {printf "%.0f", $4 * 1024}')"
say uv "$(PATH="$PATH:$HOME/.local/bin:$HOME/.cargo/bin" command -v uv)"
for python in python3.PREFERRED python3 python3.14 python3.13 python3.12 python3.11; do
  version="$("$python" -c 'import sys
if sys.version_info >= (3, 11): print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)"
  if [ -n "$version" ]; then
    say python "$("$python" -c 'import sys; print(sys.executable)')"
    say python_version "$version"
    break
  fi
done
""".replace("PREFERRED", str(sys.version_info.minor))

SUCCEED = r"""
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
is_sshd() { case "$(cat "/proc/$1/comm" 2>/dev/null)" in sshd*) true ;; *) false ;; esac }
boot="$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
if [ $# = 3 ] && [ "$3" = "$boot" ] && is_sshd "$1" && [ "$2" = "$(started "$1")" ]; then
  kill -9 "$1"
fi
pid=$PPID
while [ "${pid:-0}" -gt 1 ] && ! is_sshd "$pid"; do
  pid="$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$pid/stat" 2>/dev/null)"
done
[ "${pid:-0}" -gt 1 ] && echo "perijove:sshd=$pid $(started "$pid") $boot"
exit 0
"""
"""Say which process of sshd serves this connection (pid, start, boot), and end the one before."""


def answers(output: str) -> dict[str, str]:
    """What the marked lines say; the last one counts."""
    found = (line[len(MARK) :] for line in output.splitlines() if line.startswith(MARK))
    return {name: value for name, _, value in (line.partition("=") for line in found)}


def detached(argv: Sequence[str], environ: Mapping[str, str], log_path: str, cwd: str) -> str:
    """Start `argv` in a session of its own; says ``pid=…``.

    Raises
    ------
    InvalidInput: a variable's name is none.
    """
    for name in environ:
        if not NAME.fullmatch(name):
            raise InvalidInput(f"{name[:80]!r} is not the name of a variable.", field="environ")
    quoted = [shlex.quote(word) for word in argv]
    log = shlex.quote(log_path)
    return "\n".join(
        [
            "umask 077",
            f"cd {shlex.quote(cwd)} || exit {NO_FOLDER}",
            *(f"export {name}={shlex.quote(value)}" for name, value in environ.items()),
            f"command -v {quoted[0]} >/dev/null || exit {NO_PROGRAM}",
            f": >>{log} || exit {NO_LOG}",
            f"setsid {' '.join(quoted)} </dev/null >>{log} 2>&1 &",
            'echo "perijove:pid=$!"\n',
        ]
    )
