"""The menu: five numbered choices instead of typed commands. An error never ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.rules import folded_username
from chatbooth_grpc.client.commands.delete import delete
from chatbooth_grpc.client.commands.deliver import deliver
from chatbooth_grpc.client.commands.list import list_accounts
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.sending import send
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.failures.session_failures import NotLoggedIn, SeveralSessions
from chatbooth_grpc.client.state.session_file import SavedSession


def run_menu(context: Context) -> None:
    """Offer the choices until Q or the end of input."""
    menu = _Menu(context)
    try:
        while menu.run_one():
            pass
    except EOFError:
        context.output.say("")


class _Menu:
    """The choices, and the account that acts: the one that logged in last."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._choices: dict[str, tuple[str, Callable[[], None]]] = {
            "1": ("sign up or log in", self._sign_up_or_log_in),
            "2": ("list accounts", self._list),
            "3": ("send a message", self._send),
            "4": ("deliver messages", self._deliver),
            "5": ("delete the account", self._delete),
        }

    def run_one(self) -> bool:
        """Offer the choices once, do the chosen one, and return whether to go on. Raises EOFError, BrokenPipeError."""
        self._show_choices()
        try:
            choice = self._ask("Choice: ").lower()
            if choice == "q":
                return False
            _, act = self._choices.get(choice, ("", self._explain))
            act()
            self._context.output.flush()
        except BrokenPipeError:
            raise
        except (ChatboothError, CommandFailure, OSError) as error:
            self._context.output.fail(error)
        return True

    def _explain(self) -> None:
        self._context.output.say(f"Type one of {', '.join(self._choices)} or Q.")

    def _show_choices(self) -> None:
        say = self._context.output.say
        say("")
        say(f"chatbooth on {self._context.server}: {self._who()}")
        for key, (words, _) in self._choices.items():
            say(f"{key}  {words}")
        say("Q  quit")

    def _who(self) -> str:
        try:
            return f"you are {self._context.pick().username}"
        except NotLoggedIn:
            return "not logged in"
        except SeveralSessions as several:
            return f"{', '.join(several.usernames)} are logged in"
        except (ChatboothError, CommandFailure, OSError) as error:
            return str(error)

    def _sign_up_or_log_in(self) -> None:
        kind = self._ask("Sign up or log in? [s/l] ").lower()
        if kind not in {"s", "l"}:
            self._context.output.say("Type s to make an account, l to log in to one.")
            return
        username = folded_username(self._ask("Username: "))
        (sign_up if kind == "s" else log_in)(self._context, username)
        self._context = replace(self._context, as_user=username)

    def _pick(self) -> SavedSession:
        """Return the session to act with. If there are several, ask for one. Raises as `Context.pick`."""
        try:
            return self._context.pick()
        except SeveralSessions as several:
            username = self._ask(f"Which account acts: {', '.join(several.usernames)}? ")
        saved = self._context.sessions.pick(folded_username(username))
        self._context = replace(self._context, as_user=saved.username)
        return saved

    def _list(self) -> None:
        self._pick()
        list_accounts(self._context, self._ask("Pattern (none: all): "), "")

    def _send(self) -> None:
        self._pick()
        recipient = self._ask("To: ")
        send(self._context, recipient, self._context.prompts.line("Text: ", lines=True))

    def _deliver(self) -> None:
        self._pick()
        deliver(self._context)

    def _delete(self) -> None:
        saved = self._pick()
        question = f"Delete {saved.username} and all its messages? Type its name to do so: "
        if self._context.prompts.line(question, flush=True).strip() != saved.username:
            self._context.output.say("Nothing was deleted.")
            return
        delete(self._context, confirmed=True)
        self._context = replace(self._context, as_user=None)

    def _ask(self, question: str) -> str:
        return self._context.prompts.line(question).strip()
