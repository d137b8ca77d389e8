"""The whole fleet: nothing is lost or made up at any moment, more of anything is never slower, one seed is one run."""

from __future__ import annotations

from statistics import fmean

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.fleet.costs import Company, Costs, load
from loadtests.fleet.model.books import Sample
from loadtests.fleet.model.layout import Fault, Kind, Layout, Load
from loadtests.fleet.model.simulation import Outcome, Simulation, simulate

COSTS = load()
NOTHING = msgspec.structs.replace(COSTS, **{name: 0.0 for name in Costs.__struct_fields__ if name.endswith("_us")})
"""Nothing takes any processor time, so that a test can say what does."""
PLAIN = msgspec.structs.replace(
    NOTHING, fsync_s=0.0, commit_s=0.0, wal_bytes_order=0.0, rest_cores=0.0, company=Company()
)


def costing(**costs: float) -> Costs:
    return msgspec.structs.replace(PLAIN, **costs)


def layout(**named: object) -> Layout:
    return msgspec.convert({"network_s": 0.0, "shared_stock": False, "workers": 8, "worker_cores": 8, **named}, Layout)


@pytest.mark.parametrize("rate", [2_000.0, 8_000.0])
def test_a_part_is_busy_as_often_as_it_is_asked_times_what_it_takes(rate: float) -> None:
    costs = costing(intake_order_us=40, store_order_us=20, drain_order_us=10, drain_pg_order_us=30)
    one = simulate(costs, layout(postgres_cores=2), Load(rate_per_s=rate, seconds=4))
    assert one.busy["intake"] == pytest.approx(rate * 40e-6, rel=0.05)
    assert one.busy["order store"] == pytest.approx(rate * 20e-6, rel=0.05)
    assert one.busy["drain"] == pytest.approx(rate * 10e-6, rel=0.06)
    assert one.busy["Postgres"] == pytest.approx(rate * 30e-6 / 2, rel=0.06)
    assert one.us["order store"] == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(
    ("part", "costs", "most_per_s"),
    [
        ("intake", {"intake_order_us": 100.0}, 2 * 10_000),
        ("order store", {"store_order_us": 50.0}, 20_000),
        ("drain", {"drain_order_us": 100.0, "drain_overlap": 0.0}, 2 * 10_000),
        ("Postgres", {"drain_pg_order_us": 100.0}, 10_000),
    ],
)
def test_the_slowest_part_bounds_the_fleet(part: str, costs: dict[str, float], most_per_s: float) -> None:
    shape = layout(partitions=2, intakes=2, postgres_cores=1, drain_batch_max=200)
    one = simulate(costing(**{"intake_order_us": 40.0} | costs), shape, Load(clients=500, seconds=1))
    rate = one.accepted_per_s if part in ("intake", "order store") else one.drained_per_s
    assert rate == pytest.approx(most_per_s, rel=0.15)
    assert 0.8 < one.busy[part] < 1.1


def test_calls_grow_with_the_load() -> None:
    costs = costing(store_call_us=4_000, intake_order_us=5)
    sizes = [simulate(costs, layout(), Load(rate_per_s=rate, seconds=1)).orders_a_call for rate in (500, 4_000, 16_000)]
    assert sizes == sorted(sizes)
    # What came during a call of 4 ms goes in the next.
    assert sizes[-1] == pytest.approx(16_000 * 0.004, rel=0.15)


def test_the_first_order_of_a_quiet_intake_waits_for_nobody() -> None:
    costs = costing(intake_order_us=100, store_order_us=50, store_call_us=30, intake_call_us=20, fsync_s=0.001)
    run = Simulation(costs, layout(), Load(rate_per_s=5, seconds=10))
    assert run.run().orders_a_call == pytest.approx(1)
    assert min(run.books.latencies)[0] == pytest.approx(0.0001 + 0.00002 + 0.00008 + 0.001)


def test_one_sync_serves_all_calls_that_came_meanwhile() -> None:
    shape = layout(partitions=8, intakes=4)
    slow = simulate(costing(fsync_s=0.01, intake_order_us=1), shape, Load(clients=800, seconds=1))
    # Two syncs' worth of time an answer at most, whatever the partitions: were each call synced, it would be 32.
    assert slow.p99_ms < 45
    assert slow.accepted_per_s > 800 / 0.045


def test_partitions_that_sell_the_same_drain_one_after_the_other() -> None:
    costs = costing(drain_pg_order_us=200, intake_order_us=40)
    shared, own = (
        simulate(costs, layout(partitions=4, drain_batch_max=200, shared_stock=shared), Load(clients=500, seconds=1))
        for shared in (True, False)
    )
    assert shared.drained_per_s == pytest.approx(5_000, rel=0.15)
    assert own.drained_per_s == pytest.approx(20_000, rel=0.15)


def test_a_provider_that_takes_its_time_bounds_a_partition() -> None:
    shape = layout(provider_s=0.1, settle_concurrency=500, partitions=2)
    one = simulate(PLAIN, shape, Load(rate_per_s=15_000, seconds=1))
    assert one.confirmed_per_s == pytest.approx(2 * 5_000, rel=0.15)


def test_a_room_lets_in_as_many_as_it_says() -> None:
    one = simulate(PLAIN, layout(), Load(rate_per_s=5_000, room_per_s=1_000, seconds=2))
    assert one.confirmed_per_s == pytest.approx(1_000, rel=0.05)
    assert one.accepted == one.confirmed


def test_a_full_backlog_refuses_what_comes_and_takes_it_later() -> None:
    shape = layout(backlog_max=1_000)
    one = simulate(costing(drain_pg_order_us=200), shape, Load(rate_per_s=10_000, seconds=1))
    assert one.sent_again
    assert one.waiting <= 1_000
    assert one.confirmed == one.accepted


LAYOUTS = st.builds(
    Layout,
    partitions=st.integers(2, 6),
    intakes=st.integers(1, 3),
    nodes=st.integers(1, 2),
    workers=st.integers(2, 9),
    worker_cores=st.integers(1, 4),
    postgres_cores=st.integers(1, 4),
    together=st.sampled_from([0, 0, 2]),
    replicas=st.integers(0, 1),
    shared_stock=st.booleans(),
    provider_s=st.sampled_from([0.0, 0.05]),
)
LOADS = st.one_of(
    st.builds(Load, clients=st.integers(1, 200), seconds=st.just(0.5)),
    st.builds(Load, rate_per_s=st.floats(100, 5_000), seconds=st.just(0.5)),
    st.builds(Load, rate_per_s=st.floats(100, 5_000), room_per_s=st.floats(500, 3_000), seconds=st.just(0.5)),
)
FAULTS = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(["node", "intake", "workers", "postgres", "standstill"]),
        at_s=st.floats(0.05, 0.4),
        for_s=st.floats(0.05, 0.5),
    ),
    max_size=2,
    unique_by=lambda fault: fault.kind,
)


@settings(max_examples=15, deadline=None)
@given(LAYOUTS, LOADS, FAULTS, st.integers(0, 99))
def test_at_every_moment_what_is_accepted_is_drained_or_waits(
    shape: Layout, who: Load, faults: list[Fault], seed: int
) -> None:
    run = Simulation(COSTS, shape, who, faults=faults, seed=seed)

    def watch(sample: Sample) -> None:
        books = run.books
        assert books.accepted == books.drained + sum(one.orders for one in books.waiting)
        assert books.offered >= books.accepted >= books.drained >= books.confirmed
        assert books.drained >= books.told
        assert sample.waiting >= 0

    one = run.run(watch)
    # And in the end nothing is lost, whatever went away meanwhile, and nothing is there twice.
    assert run.books.offered == one.accepted == one.drained == one.confirmed == one.told


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2, 4]))
def test_more_of_anything_is_never_slower(intakes: int, nodes: int, cores: int) -> None:
    costs = costing(intake_order_us=100, store_order_us=100, drain_pg_order_us=100)
    base = layout(partitions=4, intakes=intakes, nodes=nodes, postgres_cores=cores, drain_batch_max=50)
    crowd = Load(rate_per_s=20_000, seconds=0.1)

    def pace(shape: Layout) -> float:
        # Who goes to which partition is drawn, and one draw may be 15 per cent better than another: ten are not.
        return fmean(simulate(costs, shape, crowd, seed=seed).confirmed_per_s for seed in range(10))

    before = pace(base)
    for more in ({"intakes": 2 * intakes}, {"nodes": min(2 * nodes, 4)}, {"postgres_cores": 2 * cores}):
        assert pace(msgspec.structs.replace(base, **more)) >= before * 0.95, more


def faulty(kind: Kind, **named: object) -> tuple[Outcome, Outcome]:
    """Return a run without and one with a fault of two seconds."""
    shape, who = layout(partitions=4, intakes=2, nodes=2, workers=6, **named), Load(rate_per_s=2_000, seconds=4)
    fault = Fault(kind=kind, at_s=1, for_s=2)
    return simulate(COSTS, shape, who), simulate(COSTS, shape, who, faults=[fault])


def test_a_node_that_is_away_has_its_partitions_orders_sent_again_and_not_the_others() -> None:
    calm, one = faulty("node")
    assert calm.sent_again == 0
    assert one.sent_again >= 0.8 * 2_000  # half of them, for two seconds, some more than once
    assert one.samples[20].accepted > calm.samples[20].accepted * 0.6  # the other node went on
    assert one.recovered_s is not None


def test_an_intake_that_dies_leaves_its_share_to_the_others() -> None:
    calm, one = faulty("intake")
    assert one.sent_again < 100
    assert one.accepted_per_s == pytest.approx(calm.accepted_per_s, rel=0.05)


def test_shifts_of_dead_workers_go_on_when_their_leases_have_run_out() -> None:
    calm, one = faulty("workers")
    assert calm.lag_s < 1
    assert 4 < one.lag_s < 8
    assert one.recovered_s is not None
    assert 4 < one.recovered_s < 9


def test_while_postgres_is_away_orders_are_accepted_and_wait() -> None:
    calm, one = faulty("postgres")
    assert one.accepted_per_s == pytest.approx(calm.accepted_per_s, rel=0.02)
    assert one.sent_again == 0
    assert one.waiting > 2 * 2_000 * 0.9
    assert 2 < one.lag_s < 4


def test_in_a_standstill_orders_are_accepted_and_wait_and_nothing_is_sent_again() -> None:
    calm, one = faulty("standstill")
    assert calm.lag_s < 1
    assert one.sent_again == 0
    assert 1.9 < one.lag_s < 2.2
    assert one.recovered_s is not None
    assert 2 < one.recovered_s < 2.5


def test_what_is_dearer_in_company_slows_one_machine_and_no_fleet() -> None:
    dear = msgspec.structs.replace(COSTS, company=Company(**dict.fromkeys(Company.__struct_fields__, 2.0)))
    plain = msgspec.structs.replace(COSTS, company=Company())
    who = Load(clients=64, seconds=1)
    (alone, company), (before, after) = (
        [simulate(costs, shape, who) for costs in (plain, dear)] for shape in (layout(together=2), layout())
    )
    assert company.confirmed_per_s == pytest.approx(alone.confirmed_per_s / 2, rel=0.2)
    assert before == after
    assert 1 < company.cores <= 2
    assert before.cores == 0


def test_a_crowds_generator_takes_its_share_of_the_one_machine() -> None:
    costs = costing(generator_order_us=100)
    one = simulate(costs, layout(together=2), Load(rate_per_s=2_000, seconds=1))
    assert one.us["generator"] == pytest.approx(100)
    assert one.cores == pytest.approx(0.2, rel=0.1)


def test_a_replica_on_the_same_machine_takes_its_cores_too() -> None:
    costs = costing(store_order_us=100, intake_order_us=20)
    who = Load(clients=64, seconds=0.5)
    none, two = (simulate(costs, layout(together=2, replicas=count), who) for count in (0, 2))
    assert none.us["order store"] == pytest.approx(100, rel=0.01)
    assert two.us["order store"] == pytest.approx(300, rel=0.01)
    assert two.accepted_per_s < none.accepted_per_s


def test_one_seed_is_one_run() -> None:
    shape, who = layout(partitions=4, together=2), Load(rate_per_s=3_000, seconds=1)
    first, again, other = (simulate(COSTS, shape, who, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "made",
    [lambda: Layout(partitions=2, nodes=3), lambda: Load(seconds=1), lambda: Load(seconds=1, clients=1, rate_per_s=1)],
)
def test_what_makes_no_sense_is_refused(made: object) -> None:
    with pytest.raises(ValueError, match=r"nodes|clients"):
        made()  # type: ignore[operator]
