"""Puts tests/ on the import path (for `support`), fixes everything random, thins long tables."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from support import SEED, seed

os.environ["OMP_NUM_THREADS"] = "1"  # faster for small images, and sums have one order; children inherit it
settings.register_profile("suite", deadline=None, max_examples=40, derandomize=True, print_blob=True)
settings.load_profile("suite")

# Of these tables of slow tests, `make test` runs every n-th row; `make test-long` the others. In full each
# takes 4 s of processor time or more, for proofs (first), derivatives through solvers, or many sources.
THINNED = {
    "test_genuine.py::test_certificates_of_verify_are_accepted": 6,
    "test_forged.py::test_a_forged_certificate_is_refused": 4,
    "test_explicit_claims.py::test_l2_threshold_from_both_sides": 8,
    "test_explicit_claims.py::test_no_attack_breaks_a_proved_claim": 6,
    "test_explicit_claims.py::test_fourth_order_threshold_from_both_sides": 4,
    "test_explicit_claims.py::test_what_is_false_or_open_is_never_proved": 4,
    "test_explicit_claims.py::test_energy_decays_up_to_the_proved_limit": 5,
    "test_kept.py::test_networks_without_learned_operators": 4,
    "test_completeness.py::test_limit_with_a_symbolic_step": 6,
    "test_completeness.py::test_factors_and_false_claims_with_a_symbolic_step": 6,
    "test_consistency.py::test_the_coefficients_are_those_of_the_error": 2,
    "test_consistency.py::test_the_order_is_the_slope_of_the_error": 4,
    "test_cells.py::test_proved_claims_survive_an_attack_through_the_network": 2,
    "test_cli_advise.py::test_stop_at_keeps_the_scheme_and_takes_the_fewest_steps": 4,
    "test_for_time.py::test_the_networks_are_proved_to_be_stable": 2,
    "test_problem.py::test_a_parameter_may_have_any_name_or_is_refused": 4,
    "test_settled_gradients.py::test_derivatives_are_those_of_finite_differences": 4,
    "test_preconditioner.py::test_gradients_match_finite_differences": 4,
    "test_unet.py::test_gradients_match_finite_differences": 4,
    "test_names.py::test_names_that_the_source_uses": 18,
    "test_names.py::test_names_of_unknowns": 18,
    "test_coordinates.py::test_coefficients_of_one_coordinate": 4,
    "test_schemes.py::test_module_equals_the_interpreter": 4,
    "test_unet.py::test_module_equals_the_interpreter_and_solves": 5,
    "test_preconditioner.py::test_module_equals_the_interpreter": 4,
    "test_time_in_schemes.py::test_modes_are_multiplied_by_the_factors_of_their_times": 4,
    "test_tensors.py::test_modules_agree_with_the_interpreter": 5,
    "test_system_cells.py::test_modules_agree_with_the_interpreter": 4,
    "test_breadth.py::test_modules_agree_with_the_interpreter": 5,
    "test_branches.py::test_values_and_types": 1,
    "test_export_table.py::test_the_quick_part_of_the_page": 1,
    "test_export_files.py::test_what_no_file_can_hold_is_refused_with_a_remedy": 1,
    "test_paper.py::test_a_quick_run_is_kept_resumed_and_reported": 6,
    "test_restoring.py::test_units_of_values_and_of_length_do_not_matter": 4,
    "test_restoring.py::test_enhancement_does_not_depend_on_the_unit_of_length": 3,
    "test_restoring.py::test_arrays_of_numpy": 3,
    "test_restoring.py::test_every_method_removes_noise": 3,
    "test_trajectory.py::test_states_are_those_of_shorter_networks": 3,
    "test_examples.py::test_example_runs_and_prints": 2,
    "test_methods.py::test_methods_of_cells_and_operators": 9,
    "test_cli_demo.py::test_trained_models_do_better": 2,
    "test_shipped.py::test_the_claim_is_proved_for_the_weights_in_the_file": 2,
    "test_sides.py::test_claims_hold_up_to_their_limits": 3,
    "test_sides.py::test_steady_states_of_convex_energies_are_unique": 2,
    "test_descent.py::test_a_lipschitz_constant_is_kept_by_steady_states": 2,
    "test_fit.py::test_a_training_in_parts_is_one_at_once": 3,
    "test_changing_weights.py::test_no_two_states_of_the_range_move_apart_faster": 3,
}

# Only `make test-long` runs these: others see the same, less thoroughly.
LONG = (
    "test_genuine.py::test_every_kind_of_claim_and_status_is_among_them",
    "test_examples.py::test_crank_nicolson_is_of_second_order_and_implicit_of_first",
    "test_examples.py::test_du_fort_frankel_converges_only_if_tau_over_h_vanishes",
    "test_unet.py::test_one_grid_is_told",
)

# Other tables of these folders, which prove or make modules, run every third row from 4 rows on; those of the
# others every second row from 12 rows on.
FOLDERS = ("audit", "emit", "guidance", "language", "verify")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [f"{item.path.name}::{item.name.partition('[')[0]}" for item in items]
    rows, seen = Counter(names), Counter[str]()
    for item, name in zip(items, names, strict=True):
        every, least = (3, 4) if item.path.parent.name in FOLDERS else (2, 12)
        every = 1 if rows[name] < least or "golden" in name else every
        if name in LONG or seen[name] % THINNED.get(name, every):
            item.add_marker(pytest.mark.long)
        seen[name] += 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    seed()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """At the end: a quiet run has no header."""
    terminalreporter.line(
        f"seeds: {SEED} for NumPy and PyTorch before each test; hypothesis derives its own from each test"
    )
