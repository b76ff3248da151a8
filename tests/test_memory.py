"""The allocator: reuse, statistics, the limit, and errors that leave the process usable."""

import gc
import time

import pytest

import taeda


@pytest.fixture
def limit():
    gc.collect()
    taeda.empty_cache()
    yield taeda.set_memory_limit
    taeda.set_memory_limit(None)


def test_a_freed_block_is_used_again_without_asking_the_system():
    taeda.empty(1 << 20)  # freed at once: its block is in the cache now
    before = taeda.memory_stats()
    for _ in range(10):
        taeda.empty(1 << 20)
    after = taeda.memory_stats()
    assert after["allocation_count"] == before["allocation_count"] + 10
    assert after["system_count"] == before["system_count"]


def test_statistics_follow_what_is_alive():
    before = taeda.memory_stats()["allocated_bytes"]
    taeda.reset_peak_memory_stats()
    t = taeda.empty(1 << 20, dtype=taeda.uint8)
    assert taeda.memory_stats()["allocated_bytes"] == before + (1 << 20)
    del t
    stats = taeda.memory_stats()
    assert stats["allocated_bytes"] == before
    assert stats["peak_allocated_bytes"] >= before + (1 << 20)
    assert stats["cached_bytes"] >= 1 << 20


def test_the_cache_can_be_given_back():
    taeda.empty(1 << 22)
    assert taeda.memory_stats()["cached_bytes"] >= 1 << 24
    taeda.empty_cache()
    stats = taeda.memory_stats()
    assert stats["cached_bytes"] < 1 << 20
    assert stats["reserved_bytes"] >= stats["cached_bytes"]


def test_over_the_limit_is_a_clear_error_and_the_process_stays_usable(limit):
    limit(taeda.memory_stats()["reserved_bytes"] + (8 << 20))
    with pytest.raises(taeda.OutOfMemoryError, match=r"tried to allocate 67108864 bytes \(64.00 MiB\).*the limit is"):
        taeda.empty(64 << 20, dtype=taeda.uint8)
    assert taeda.ones(1000).sum().item() == 1000
    limit(None)
    assert taeda.empty(64 << 20, dtype=taeda.uint8).numel() == 64 << 20


def test_cached_memory_makes_room_under_the_limit(limit):
    t = taeda.empty(6 << 20, dtype=taeda.uint8)
    del t  # cached, and of another size than what follows
    limit(taeda.memory_stats()["reserved_bytes"] + (1 << 20))
    assert taeda.empty(5 << 20, dtype=taeda.uint8).numel() == 5 << 20


@pytest.mark.parametrize("sizes", [(1 << 60,), (1 << 40, 1 << 40), (1 << 46,)])
def test_absurd_sizes_are_errors(sizes):
    with pytest.raises(RuntimeError, match="overflow|can't allocate memory"):
        taeda.empty(sizes)


def test_out_of_memory_is_a_runtime_error():
    assert issubclass(taeda.OutOfMemoryError, RuntimeError)


def test_meta_tensors_take_no_memory():
    before = taeda.memory_stats()["reserved_bytes"]
    t = taeda.empty(1 << 50, dtype=taeda.uint8, device="meta")
    assert t.numel() == 1 << 50 and taeda.memory_stats()["reserved_bytes"] - before < 1 << 20


def test_out_of_memory_names_the_largest_tensors(limit):
    named = taeda.empty(2 << 20, dtype=taeda.float32)
    layer = taeda.nn.Linear(1024, 512)
    limit(taeda.memory_stats()["reserved_bytes"] + (1 << 20))
    with pytest.raises(taeda.OutOfMemoryError) as caught:
        taeda.empty(64 << 20, dtype=taeda.uint8)
    message = str(caught.value)
    assert f"8.00 MiB: float32 [{named.numel()}], named in test_out_of_memory_names" in message
    assert f"2.00 MiB: float32 {list(layer.weight.shape)}, Linear.weight" in message


def test_large_blocks_that_nobody_uses_go_back_to_the_system():
    taeda.empty_cache()
    taeda.empty(24 << 20, dtype=taeda.uint8)
    assert taeda.memory_stats()["cached_bytes"] >= 24 << 20
    taeda._C._set_cache_idle_seconds(0.02)
    try:
        time.sleep(0.1)
        other = taeda.empty(4 << 20, dtype=taeda.uint8)
    finally:
        taeda._C._set_cache_idle_seconds(30)
    assert other.numel() == 4 << 20 and taeda.memory_stats()["cached_bytes"] < 24 << 20
