import pytest

from recflow.engine.check import check


def found(flow):
    return {(problem.severity, problem.code, problem.node_id) for problem in check(flow)}


def messages(flow):
    return [problem.message for problem in check(flow)]


def test_a_good_flow_has_no_problem(draw):
    assert check(draw("s:source a:list r:reverse e:end", "s>a a>r r>e")) == []


def test_every_problem_is_found_not_only_the_first(draw):
    flow = draw("a:list b:mystery e:end", "b>e", a={"wait_s": -1, "colour": "red"})
    assert {code for _, code, _ in found(flow)} >= {
        "missing_node",
        "unknown_type",
        "bad_setting",
        "no_input",
        "not_used",
    }
    assert "wait_s must be at least 0, got -1" in messages(flow)
    assert "colour is not a setting of this node" in messages(flow)


def test_a_second_source_is_one_too_many(draw):
    flow = draw("s:source t:source a:list e:end", "s>a a>e")
    assert ("blocking", "too_many", "t") in found(flow)


def test_a_circle_is_named_and_its_tail_is_not(draw):
    flow = draw("s:source a:list p:reverse q:reverse r:reverse e:end", "s>a a>p p>q q>p q>r r>e")
    (cycle,) = [problem for problem in check(flow) if problem.code == "cycle"]
    assert cycle.message == "A flow may not run in a circle: Reverse, Reverse"
    assert cycle.node_id == "p"


def test_an_edge_between_ports_that_do_not_fit_names_both_nodes(draw):
    flow = draw("s:source a:list e:end", "s>a a>e s>e")
    (misfit,) = [problem for problem in check(flow) if problem.code == "port_mismatch"]
    assert misfit.message == "Source gives user, which End cannot take"
    assert misfit.edge_id == "e2"


def test_a_second_list_into_a_port_for_one_says_who_holds_it(draw):
    flow = draw("s:source a:list r:reverse e:end", "s>a a>r r>e a>e")
    (full,) = [problem for problem in check(flow) if problem.code == "port_full"]
    assert "Reverse gives it already" in full.message


@pytest.mark.parametrize("name", ["a/b", "x" * 65])
def test_a_name_with_a_slash_or_too_long_is_refused(draw, name):
    flow = draw("s:source a:list e:end", "s>a a>e")
    nodes = tuple(n.model_copy(update={"name": name}) if n.id == "a" else n for n in flow.nodes)
    assert ("blocking", "bad_name", "a") in found(flow.model_copy(update={"nodes": nodes}))


def test_disabled_nodes_only_warn(draw):
    flow = draw("s:source a:list b:list e:end", "s>a a>e s>b", disabled=["b"], b={"wait_s": -1})
    assert {severity for severity, _, node_id in found(flow) if node_id == "b"} == {"warning"}


def test_an_edge_to_nowhere_and_a_double_edge_are_problems(draw):
    flow = draw("s:source a:list e:end", "s>a s>a a>e a>ghost")
    assert {code for _, code, _ in found(flow)} == {"duplicate_edge", "loose_edge"} | {
        code for _, code, _ in found(flow) if code == "port_full"
    }
