"""The hub's end of a zygote."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perijove.compute import zygote as module
from perijove.compute.zygote import Zygote
from perijove.runner import zygote as program

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


async def test_where_imports_take_long_the_next_zygote_may_end_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "slow.py").write_text(f"import time; open({str(begun)!r}, 'w'); time.sleep(5)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(program.__file__).parents[2]}")
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(module, "RESTART_DELAY", 0.1)
    zygote = Zygote(["slow"], tmp_path / "log")
    await zygote.start()
    try:
        async with asyncio.timeout(60):
            await zygote.ready.wait()
            first = zygote.pid
            while not begun.exists():
                await asyncio.sleep(0.01)
            ask = ("inspect", {}, tmp_path / "result.json")
            assert await zygote.fork_task(*ask) is None
            await zygote.ready.wait()
            assert zygote.warm
            assert zygote.pid != first
            assert await zygote.fork_task(*ask) is not None
    finally:
        await zygote.close()
