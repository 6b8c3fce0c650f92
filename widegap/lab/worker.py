"""Work beside the server: each page has a process of its own, so that all that is computed can be ended.

A task is a function of a module that returns HTML; its first argument tells HTML of how far it is, the
others can be pickled and compared. Whoever wants another result ends the process and takes a new one;
results are kept.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from functools import partial
from html import escape
from typing import IO, Any

from widegap.lab import page

__all__ = ["Desk", "Tell", "end_all", "main"]

Tell = Callable[[str], None]
Task = Callable[..., str]

_IDLE = 300.0
"""Seconds after which a process that has nothing to do ends: its page may be gone."""
_RESTING = 4
"""Processes that have nothing to do, beyond which those that were used longest ago end."""
_KEPT = 200
"""Results that are kept, those that were used last."""

_desks: weakref.WeakSet[Desk] = weakref.WeakSet()
_results: OrderedDict[tuple[Any, ...], str] = OrderedDict()
_LOCK = threading.Lock()


class Desk:
    """Where one part of a page has its work done, one task at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._turn = 0
        self._busy = False
        self._used = 0.0
        self._lock = threading.Lock()
        _desks.add(self)

    def known(self, task: Task, *given: Any) -> str | None:
        """The result of a task, if there is one."""
        key = _key(task, given)
        with _LOCK:
            if key in _results:
                _results.move_to_end(key)
            return _results.get(key)

    def stop(self) -> None:
        """End what is being done."""
        with self._lock:
            self._turn += 1
            self._end()

    def run(self, task: Task, *given: Any) -> Generator[str]:
        """Begin a task, and return what it tells, as it comes, and its result.

        There is nothing more once another has begun or `stop` was called. What goes wrong is a line in the
        place of its progress. Whoever does not want the rest closes the iterator, which ends the work.
        """
        resting = sorted((desk for desk in _desks if desk is not self), key=lambda desk: desk._used)
        for desk in [desk for desk in resting if desk._rests()][:-_RESTING]:
            desk._rest()
        with self._lock:
            self._turn += 1
            self._used = time.monotonic()
            turn = self._turn
            if self._busy or (self._process is not None and self._process.poll() is not None):
                self._end()
            process = self._process = self._process or _started()
            self._busy = True
        views: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_read, args=(process, views), daemon=True)
        self._reader.start()
        with contextlib.suppress(OSError):  # then it has died, which the reader tells
            assert process.stdin is not None
            pickle.dump((task, given), process.stdin)
            process.stdin.flush()
        return self._shown(turn, views, _key(task, given))

    def _shown(
        self, turn: int, views: queue.SimpleQueue[tuple[str, str]], key: tuple[Any, ...]
    ) -> Generator[str]:
        try:
            yield from self._heard(turn, views, key)
        except GeneratorExit:
            with self._lock:
                if turn == self._turn:
                    self._end()
            raise

    def _heard(
        self, turn: int, views: queue.SimpleQueue[tuple[str, str]], key: tuple[Any, ...]
    ) -> Iterator[str]:
        last = ""
        while True:
            kind, text = views.get()
            with self._lock:
                if turn != self._turn:
                    return
                self._busy = kind == "told"
            if kind == "result":
                _keep(key, text)
            elif kind != "told":
                line = failure(text)
                text = page.without_progress(last, line) if last else line
            yield text
            if kind != "told":
                return
            last = text

    def _rests(self) -> bool:
        return self._process is not None and not self._busy

    def _rest(self) -> None:
        """Do without a process until there is something to do."""
        with self._lock:
            if not self._busy:
                self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._reader is not None:
                self._reader.join()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):  # a task that was not read to its end
                    assert pipe is not None
                    pipe.close()
        self._process, self._reader, self._busy = None, None, False


def _key(task: Task, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return task.__module__, task.__qualname__, given


def _keep(key: tuple[Any, ...], result: str) -> None:
    with _LOCK:
        _results[key] = result
        while len(_results) > _KEPT:
            _results.popitem(last=False)


def end_all() -> None:
    """End what all desks are doing."""
    for desk in list(_desks):
        desk.stop()


def failure(text: str) -> str:
    """One line that says what went wrong."""
    return f'<p class="refused" role="alert">{escape(text)}</p>'


def _started() -> subprocess.Popen[bytes]:
    """A process that waits for a task."""
    pipe = subprocess.PIPE
    line = [sys.executable, "-m", "widegap.lab.worker"]
    return subprocess.Popen(line, stdin=pipe, stdout=pipe)


def _read(process: subprocess.Popen[bytes], views: queue.SimpleQueue[tuple[str, str]]) -> None:
    """Hand on what the process writes, up to the end of its task."""
    assert process.stdout is not None
    while True:
        try:
            view = pickle.load(process.stdout)
        except Exception:  # it was killed in the middle of one
            views.put(
                ("died", "the process that computed this has died; its memory may have run out")
            )
            return
        views.put(view)
        if view[0] != "told":
            return


def _outcome(task: Task, given: tuple[Any, ...], tell: Tell) -> tuple[str, str]:
    """How a task ended, and its result or a line that says what was wrong."""
    from theory.errors import WidegapError

    try:
        return "result", task(tell, *given)
    except (WidegapError, ArithmeticError, ValueError, MemoryError) as error:
        return "refused", " ".join(str(error).split()) or "not enough memory"
    except Exception as error:  # a defect; the page goes on
        return "refused", f"this should not happen: {type(error).__name__}: {error}"


def main() -> None:
    """Do tasks that come on the standard input until it is closed, or nothing comes for long."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anybody prints is not for the page
    while True:
        watch = threading.Timer(_IDLE, os._exit, (0,))
        watch.daemon = True
        watch.start()
        try:
            task, given = pickle.load(source)
        except EOFError:
            return
        watch.cancel()
        told = partial(_write, target, "told")
        _write(target, *_outcome(task, given, told))


def _write(target: IO[bytes], kind: str, text: str) -> None:
    pickle.dump((kind, text), target)
    target.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
