"""The bounded link: order, back-pressure, displacement, end and abandonment."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from rtpick.runtime.edge import Edge


@given(items=st.lists(st.integers(), max_size=60), capacity=st.integers(1, 7), sizes=st.integers(1, 9))
def test_everything_arrives_in_order_whatever_the_capacity_and_the_batch(items, capacity, sizes):
    edge: Edge[int] = Edge("test", capacity)

    def produce() -> None:
        for item in items:
            edge.put(item)
        edge.close()

    producer = threading.Thread(target=produce)
    producer.start()
    arrived: list[int] = []
    while not edge.ended:
        taken = edge.take(sizes, 1.0)
        assert len(taken) <= sizes
        arrived += taken
    producer.join()
    assert arrived == items


def test_a_full_edge_refuses_an_offer_and_a_put_that_waits_in_vain():
    edge: Edge[int] = Edge("test", 2)
    assert edge.offer(1)
    assert edge.offer(2)
    assert not edge.offer(3)
    assert not edge.put(3, timeout_s=0.01)
    assert list(edge.take(10, 0.0)) == [1, 2]


def test_displacing_drops_the_oldest_and_says_which():
    edge: Edge[int] = Edge("test", 2)
    assert edge.displace(1) is None
    assert edge.displace(2) is None
    assert edge.displace(3) == 1
    assert list(edge.take(10, 0.0)) == [2, 3]


def test_two_producers_end_the_edge_only_together():
    edge: Edge[int] = Edge("test", 2, producers=2)
    edge.close()
    edge.put(1)
    assert not edge.ended
    edge.close()
    assert not edge.ended
    assert list(edge.take(1, 0.0)) == [1]
    assert edge.ended


def test_a_consumer_that_is_gone_lets_a_blocked_producer_go():
    edge: Edge[int] = Edge("test", 1)
    edge.put(1)
    producer = threading.Thread(target=edge.put, args=(2,))
    producer.start()
    edge.abandon()
    producer.join(5.0)
    assert not producer.is_alive()
    assert len(edge) == 0


def test_a_take_from_an_ended_edge_does_not_wait():
    edge: Edge[int] = Edge("test", 1)
    edge.close()
    assert list(edge.take(1, 60.0)) == []
