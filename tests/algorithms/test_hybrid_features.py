from math import exp, log

import numpy as np
from pytest import approx
from scipy import sparse

from recflow.algorithms.hybrid_features import (
    NO_TIME,
    age_feature,
    age_lifts,
    eras,
    faded_at,
    fading_likes,
    label_features,
    label_lifts,
    neighbor_feature,
    popularity_features,
    recency_weights,
    shared_likes,
    trust,
    unit_labels,
)

DAY = 86_400_000_000


def items(*indices):
    return np.array(indices, dtype=np.int32)


def days(*values):
    return np.array(values, dtype=np.int64) * DAY


def test_each_span_back_weighs_one_e_th():
    weights = recency_weights(3, span=2.0)
    assert weights.sum() == approx(1)
    assert weights[2] / weights[0] == approx(exp(-1), rel=1e-5)
    assert recency_weights(0, span=2.0).tolist() == []


def test_trust_grows_with_the_history_from_nothing():
    assert [trust(n) for n in (0, 1, 3)] == [0, 1 / 2, 3 / 4]


def faded(candidates, now, half_lives=(10.0,)):
    half_lives = np.float32(half_lives)
    # item 0 is liked on days 20 and 0, item 2 on day 10, item 1 never
    table = fading_likes(items(0, 2, 0), days(20, 10, 0), 3, half_lives)
    return faded_at(items(*candidates), now, *table, half_lives)


def test_a_like_is_worth_half_after_a_half_life():
    # day 30: likes of item 0 are 10 and 30 days old: 1/2 + 1/8; that of item 2 is 20 days old: 1/4
    assert faded([0, 1, 2], 30 * DAY)[:, 0].tolist() == approx([1 / 2 + 1 / 8, 0, 1 / 4])
    assert faded([0], 30 * DAY, (10.0, 20.0))[0].tolist() == approx([0.625, 2**-0.5 + 2**-1.5])


def test_likes_at_and_after_the_request_are_unknown():
    assert faded([0], 20 * DAY)[0, 0] == approx(1 / 4)  # only that of day 0, 20 days old
    assert faded([0, 2], 0)[:, 0].tolist() == [0, 0]


def test_item_that_appears_after_the_request_is_unlikely():
    draw = np.random.default_rng(0)
    item_times = days(*range(1_000))
    moments = days(*draw.integers(500, 1_000, 400))
    liked = items(*(moment // DAY - draw.integers(1, 20) for moment in moments))  # news: at most 19 days old
    cuts, lifts = age_lifts(liked, moments, item_times, rng=draw)
    ages = age_feature(items(495, 480, 10, 900), 500 * DAY, item_times, cuts, lifts)
    assert ages[0] > 2 and ages[1] < ages[0]  # 5 days old: likes fall here far more often than by chance
    assert ages[2] < 0 and ages[3] < -2  # very old; yet to appear


def test_item_without_time_has_no_age():
    cuts, lifts = age_lifts(items(0, 1), days(5, 6), days(1, 2), rng=np.random.default_rng(0))
    times = np.array([NO_TIME, 0])
    assert age_feature(items(0), 9 * DAY, times, cuts, lifts).tolist() == [0]


def test_catalogue_without_times_has_no_ages():
    times = np.array([NO_TIME, NO_TIME])
    cuts, lifts = age_lifts(items(0, 1), days(5, 6), times, rng=np.random.default_rng(0))
    assert age_feature(items(0, 1), 9 * DAY, times, cuts, lifts).tolist() == [0, 0]


def test_items_of_one_time_are_alike_and_far_times_are_not():
    times = np.concatenate([days(*range(100)), days(0), [NO_TIME]])
    labels = unit_labels(eras(times))
    alike = (labels @ labels.T).toarray()
    assert alike[0, 100] == approx(1)  # both of day 0
    assert alike[50, 51] > 0.8 > alike[50, 54] > 0
    assert alike[10, 90] == 0
    assert alike[101].tolist() == [0] * 102
    assert eras(np.array([NO_TIME])).nnz == 0


def test_rare_labels_weigh_more_and_single_ones_nothing():
    labels = unit_labels(sparse.csr_matrix([[1, 1, 1], [1, 1, 0], [1, 0, 0]]))
    common, rarer = log(4 / 3), log(4 / 2)  # of 3 items: carried by all 3, by 2; the third by one only
    length = (common**2 + rarer**2) ** 0.5
    assert labels.toarray()[0].tolist() == approx([common / length, rarer / length, 0])
    assert labels.toarray()[2].tolist() == approx([1, 0, 0])


def test_labels_lift_and_match_by_hand_and_without_the_own_like():
    labels = unit_labels(sparse.csr_matrix([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]))
    counts = np.float32([8, 0, 2, 0, 0])  # ten likes on five items: two labels of two items expect 4 each
    likes, expected = label_lifts(labels, counts)
    assert likes.tolist() == [8, 2] and expected.tolist() == approx([4, 4])

    def features(own):
        table = (labels.indptr, labels.indices, labels.data, np.zeros(2, np.int32), likes, expected)
        history, recency = items(1, 2), np.float32([0.75, 0.25])
        return label_features(items(0, 3, 4), history, recency, own, *table, 1)

    lift, match = features(own=-1)
    assert lift[:, 0].tolist() == approx([log(13 / 9), log(7 / 9), 0])
    assert match[:, 0].tolist() == approx([0.75, 0.25, 0])
    lift, _ = features(own=0)
    assert lift[:2, 0].tolist() == approx([log(12 / 9), log(7 / 9)])


def test_shared_likes_are_counted_among_the_newest_of_each_user():
    likes = sparse.csr_matrix(
        (np.ones(7, np.float32), items(2, 0, 1, 0, 2, 1, 2), np.array([0, 3, 5, 7])), shape=(3, 4)
    )  # newest first: user 0 likes 2, 0, 1; user 1 likes 0, 2; user 2 likes 1, 2
    everything = shared_likes(likes, n_neighbors=3, newest=9).toarray()
    assert everything.tolist() == [[0, 1, 2, 0], [1, 0, 2, 0], [2, 2, 0, 0], [0, 0, 0, 0]]
    newest = shared_likes(likes, n_neighbors=3, newest=2).toarray()
    assert newest.tolist() == [[0, 0, 2, 0], [0, 0, 1, 0], [2, 1, 0, 0], [0, 0, 0, 0]]
    closest = shared_likes(likes, n_neighbors=1, newest=9)
    assert closest.toarray()[0].tolist() == [0, 0, 2, 0]  # 2 / sqrt(3 + 5) beats 1 / sqrt(2 + 5)


def test_shared_likes_do_not_depend_on_the_blocks():
    draw = np.random.default_rng(1)
    dense = draw.random((60, 3_000)) < 0.4
    likes = sparse.csr_matrix(dense.astype(np.float32))
    shared = shared_likes(likes, n_neighbors=3_000, newest=3_000)  # 9 million entries: several blocks
    expected = dense.T.astype(np.float32) @ dense
    np.fill_diagonal(expected, 0)
    assert np.array_equal(shared.toarray(), expected)


def test_neighbors_by_hand_and_without_the_own_like():
    counts = np.float32([4, 11, 3])
    shared = sparse.csr_matrix(np.float32([[0, 2, 0], [2, 0, 1], [0, 1, 0]]))

    def feature(own):
        table = (counts, shared.indptr, shared.indices, shared.data)
        return neighbor_feature(items(1, 2), items(0, 1), np.float32([0.75, 0.25]), own, *table).tolist()

    # item 1 with 0: 2 / sqrt((4 + 5)(11 + 5)); item 2 with 1: 1 / sqrt((11 + 5)(3 + 5))
    assert feature(own=-1) == approx([0.75 * 2 / 12, 0.25 / 128**0.5])
    # one user who liked both is taken out of 2 and of 11
    assert feature(own=0) == approx([0.75 * 1 / (9 * 15) ** 0.5, 0.25 / 128**0.5])


def test_popularity_by_hand_and_without_the_own_like():
    counts, value_sums = np.float32([3, 1, 0]), np.float32([2.0, 0.5, 0.0])
    likes, known, value = popularity_features(items(0, 1, 2), -1, 0.0, counts, value_sums)
    assert likes.tolist() == approx([log(4), log(2), 0])
    assert known.tolist() == [1, 1, 0]
    assert value.tolist() == approx([2 / 6, 0.5 / 4, 0])
    likes, known, value = popularity_features(items(0, 1, 2), 1, 0.5, counts, value_sums)
    assert (likes[1], known[1], value[1]) == (0, 0, 0)
    assert counts.tolist() == [3, 1, 0]  # the table itself is left alone
