"""Each module has a test file of its own name, or a named one elsewhere that tests it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "chatbooth_grpc"
TESTS = ROOT / "tests"

TESTED_ELSEWHERE = {
    "admin/__main__.py": "acceptance/test_administration.py",
    "admin/commands/backup.py": "admin/commands/test_commands.py",
    "admin/commands/check.py": "admin/commands/test_commands.py",
    "admin/commands/context.py": "admin/commands/test_commands.py",
    "admin/commands/delete.py": "admin/commands/test_commands.py",
    "admin/commands/disable.py": "admin/commands/test_commands.py",
    "admin/commands/enable.py": "admin/commands/test_commands.py",
    "admin/commands/export.py": "admin/commands/test_commands.py",
    "admin/commands/invite.py": "admin/commands/test_commands.py",
    "admin/commands/ping.py": "admin/commands/test_commands.py",
    "admin/commands/reaching.py": "admin/commands/test_commands.py",
    "admin/commands/reset_password.py": "admin/commands/test_commands.py",
    "admin/commands/restore.py": "admin/commands/test_commands.py",
    "admin/commands/shared_arguments.py": "admin/commands/test_commands.py",
    "admin/commands/showing.py": "admin/commands/test_commands.py",
    "admin/commands/stats.py": "admin/commands/test_commands.py",
    "admin/commands/users.py": "admin/commands/test_commands.py",
    "admin/commands/vacuum.py": "admin/commands/test_commands.py",
    "admin/commands/verify.py": "admin/commands/test_commands.py",
    "booth/account_errors.py": "booth/test_errors.py",
    "booth/admin_store.py": "contract/test_admin_store.py",
    "booth/call_log.py": "contract/test_call_log.py",
    "booth/causes.py": "acceptance/test_unreachable.py",
    "booth/clock.py": "booth/test_store_clock.py",
    "booth/error_tree.py": "booth/test_errors.py",
    "booth/model.py": "contract/test_conformance.py",
    "booth/observing.py": "contract/test_observing.py",
    "booth/request_errors.py": "booth/test_errors.py",
    "booth/store.py": "contract/test_store.py",
    "booth/token_errors.py": "booth/test_errors.py",
    "booth/token_problems.py": "booth/test_errors.py",
    "booth/unicode.py": "acceptance/test_hostile_input.py",
    "booth/trust_errors.py": "client/failures/test_trust_failures.py",
    "client/library/grpc_security.py": "client/library/test_trusting.py",
    "client/library/opening.py": "client/library/test_trusting.py",
    "client/library/security.py": "client/library/test_trusting.py",
    "client/library/wire_security.py": "client/library/test_trusting.py",
    "tls/trust.py": "tls/test_examining.py",
    "tls/certificate_files.py": "tls/test_server_certificate.py",
    "client/__main__.py": "acceptance/test_command_line.py",
    "client/commands/running.py": "acceptance/test_outcomes.py",
    "client/commands/tasks/outbox_flushing.py": "client/commands/tasks/test_queueing.py",
    "client/commands/tasks/outbox_showing.py": "client/commands/test_outbox.py",
    "client/commands/tasks/showing.py": "client/commands/test_deliver.py",
    "client/commands/tasks/session_words.py": "client/commands/test_token.py",
    "client/commands/tasks/token_making.py": "client/commands/test_token.py",
    "client/failures/token_failures.py": "client/state/test_token_sessions.py",
    "client/failures/exit_codes.py": "client/commands/test_arguments.py",
    "client/library/ranges.py": "contract/test_library.py",
    "store/sqlite/tokens.py": "contract/test_store_tokens.py",
    "wire/encoding/tokens.py": "wire/encoding/test_codecs.py",
    "client/library/transport.py": "contract/test_library.py",
    "client/terminal/terminal.py": "acceptance/test_terminal.py",
    "generated.py": "acceptance/test_command_line.py",
    "metrics/gauges.py": "metrics/test_exposition.py",
    "live/sink.py": "live/test_listener.py",
    "live/small_writes.py": "live/test_unread.py",
    "rpc/accounts.py": "rpc/test_converters.py",
    "rpc/blocks.py": "rpc/test_converters.py",
    "rpc/converter.py": "rpc/test_converters.py",
    "rpc/delivering.py": "rpc/test_converters.py",
    "rpc/admin_client.py": "contract/test_administration.py",
    "rpc/admin_messages.py": "contract/test_administration.py",
    "rpc/admin_socket.py": "rpc/server/test_admin_server.py",
    "rpc/grpcio/calls.py": "rpc/grpcio/test_call_pool.py",
    "rpc/grpcio/pooled_calls.py": "rpc/grpcio/test_serving.py",
    "rpc/grpcio/pushing.py": "rpc/server/test_traps.py",
    "rpc/grpcio/stream_call.py": "rpc/server/test_send_streams.py",
    "rpc/lists.py": "rpc/test_converters.py",
    "rpc/server/admin_servicer.py": "contract/test_administration.py",
    "rpc/server/health.py": "rpc/server/test_chat_server.py",
    "rpc/server/listening.py": "rpc/server/test_servicer.py",
    "rpc/server/settings.py": "server/test_flags.py",
    "rpc/sessions.py": "rpc/test_converters.py",
    "rpc/unknown_fields.py": "rpc/test_messages.py",
    "server/draining.py": "acceptance/test_server_endings.py",
    "server/greeting.py": "server/test_main.py",
    "server/extras.py": "server/test_metrics.py",
    "server/twins.py": "server/test_flags.py",
    "store/failures.py": "store/test_disk_faults.py",
    "store/sqlite/accounts.py": "contract/test_store_accounts.py",
    "store/sqlite/appending.py": "contract/test_store.py",
    "store/sqlite/failures.py": "store/test_disk_faults.py",
    "store/sqlite/mailboxes.py": "contract/test_store.py",
    "store/sqlite/sessions.py": "contract/test_store_sessions.py",
    "store/sqlite/sqlite_admin_store.py": "contract/test_admin_store.py",
    "store/sqlite/sqlite_engine.py": "store/sqlite/test_sqlite_store.py",
    "store/sqlite/store_part.py": "store/sqlite/test_sqlite_store.py",
    "store/sqlite/user_administration.py": "contract/test_admin_store.py",
    "wire/client/calls.py": "wire/client/test_wire_transport.py",
    "wire/client/failures.py": "acceptance/test_unreachable.py",
    "wire/encoding/accounts.py": "wire/encoding/test_codecs.py",
    "wire/encoding/blocks.py": "wire/encoding/test_codecs.py",
    "wire/encoding/codec.py": "wire/encoding/test_codecs.py",
    "wire/encoding/sending.py": "wire/encoding/test_codecs.py",
    "wire/encoding/sessions.py": "wire/encoding/test_codecs.py",
    "wire/server/listening.py": "wire/server/test_wire_server.py",
}
"""Modules without a test of their own name: one test covers several of them, or only a whole server shows it."""

MODULES = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py" and "_gen" not in path.parts
)


def own_test(module: str) -> Path:
    """Return the path of a module's test of its own name."""
    path = Path(module)
    return TESTS / path.with_name(f"test_{path.stem.strip('_')}.py")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_test(module: str) -> None:
    assert own_test(module).exists() != (module in TESTED_ELSEWHERE)


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_the_test_elsewhere_exists(module: str) -> None:
    assert module in MODULES
    assert (TESTS / TESTED_ELSEWHERE[module]).exists()
