"""Whatever fails, however often: nothing is lost, each thread keeps its order, and commits are safe."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.streams.test_attempts import Service

records = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["x", "y", "z"])), max_size=40)


@given(records, st.dictionaries(st.integers(0, 39), st.integers(1, 6)), st.floats(0, 30), st.floats(0, 60))
def test_every_record_is_taken_once_in_the_order_of_its_thread(
    sent: list[tuple[str, str]], failing: dict[int, int], takes: float, between: float
) -> None:
    left = dict(failing)

    def fails(name: str, _: str) -> bool:
        number = int(name.split(":")[1])
        left[number] = left.get(number, 0) - 1
        return left[number] >= 0

    service = Service(fails, takes)
    committed = 0
    for number, (thread, address) in enumerate(sent):
        service.read(f"{thread}{address}:{number}", address=address)
        service.run(between, step=1.0)
        assert service.committed() >= committed
        committed = service.committed()
        done = {int(name.split(":")[1]) for name in service.taken}
        assert set(range(committed)) <= done
        assert committed == number + 1 or committed not in done
    service.run(200_000, step=50.0)

    assert sorted(service.taken) == sorted(f"{t}{a}:{number}" for number, (t, a) in enumerate(sent))
    assert not sent or service.committed() == len(sent)
    for thread in {name.partition(":")[0] for name in service.taken}:
        mine = [int(name.split(":")[1]) for name in service.taken if name.startswith(f"{thread}:")]
        assert mine == sorted(mine)
