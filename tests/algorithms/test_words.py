from recflow.algorithms.words import word_labels


def test_words_of_two_texts_become_labels():
    labels = word_labels(["Toy Story (1995)", "TOY story 2, a toy", "Jumanji"])
    assert labels.toarray().tolist() == [
        [1, 1],
        [1, 1],
        [0, 0],
    ]  # story, toy; the rest stands in one text only


def test_words_of_any_script_and_with_apostrophes_are_kept_whole():
    labels = word_labels(["Schindler's Liste", "schindler's Été", "l’été ÉTÉ", "七人の侍", "七人の侍"])
    assert labels.shape == (5, 3)  # schindler's, été, 七人の侍
    assert labels.sum(axis=0).tolist() == [[2, 2, 2]]


def test_texts_without_words_have_no_labels():
    assert word_labels(["", "1984", "_"]).shape == (3, 0)
    assert word_labels([]).shape == (0, 0)
