"""One search for one host: listens to a race, dials what it names, has it proved, and says in the end what came of it.

Everything is decided in the thread that calls `run`; others only ring its bell.
"""

import socket
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from ipwatch.core.candidate import Candidate, Claim, Spot, Way
from ipwatch.core.locating import End, Fate, Search, judge, marked, rank, same_network
from ipwatch.core.trouble import Kind, Trouble
from ipwatch.laptop.locate import Around, Race, is_literal, is_public
from ipwatch.laptop.memory import Proved
from ipwatch.laptop.proof import Proof, prove
from ipwatch.laptop.sight import Finding, Hunt, Outcome, Sight
from ipwatch.net.dial import Dialled, Dialler, source_of
from ipwatch.ports import Unreachable

if TYPE_CHECKING:
    from ipwatch.laptop.world import World

_TICK = timedelta(seconds=0.2)  # how often is looked whether to stop
_PROOF = timedelta(seconds=10)  # a loaded sshd takes seconds for its key exchange
_ODD = timedelta(seconds=2)  # without the host for so long: look for a captive portal meanwhile
_RESERVE = timedelta(seconds=1.5)  # addresses of long ago are dialled only when the others bring nothing by then
_AGAIN = timedelta(minutes=1)  # the same proof is not written down twice within
_ASK_AGAIN = timedelta(seconds=3)  # while addresses hang, the zone may come to name another one
_LAN = timedelta(seconds=2)  # away from home nothing else is held up longer by the address in the house
_CURRENT = frozenset({Way.ZONE, Way.DOH, Way.SYSTEM, Way.GIVEN})


class Hunter:
    """Runs one search, once."""

    def __init__(self, world: "World", around: Around, race: Race, hunt: Hunt) -> None:
        self._world, self._around, self._race, self._hunt = world, around, race, hunt
        self._begun = world.now()
        self._end = self._begun + hunt.within
        seconds = min(10.0, max(0.1, hunt.within.total_seconds()))
        self._dialler = Dialler(timeout=seconds, begun=lambda spot: hunt.tell(Sight("dialling", spot)))
        self._read = 0  # words of the race's taken so far
        self._claims: dict[Spot, list[Claim]] = {}
        self._silent: dict[Way, str] = {}
        self._said: set[str] = set()
        self._asked = timedelta(0)  # when the zone was last asked
        self._reserve: list[Spot] = []
        self._ends: dict[Spot, Proof] = {}
        self._finding: Finding | None = None
        self._settled: timedelta | None = None  # when what was searched for was there
        self._at_home = False
        self._outside = bool(race.names) or any(is_public(name) for name in hunt.host.names)
        self._lock = threading.Lock()  # of what the proving threads share with ours
        self._proving: dict[Spot, socket.socket] = {}
        self._proofs: list[Proof] = []
        self._over = False

    def run(self) -> Outcome:
        """Search; raises Trouble only for INTERRUPTED."""
        self._race.listen(self._dialler.wake)
        try:
            self._take_what_is_known()
            while not self._is_over():
                self._take_words()
                if dialled := self._dialler.next(min(_TICK, self._left()).total_seconds()):
                    self._take_dialled(dialled)
                self._take_proofs()
                self._when_it_takes_long()
            return self._outcome()
        except BaseException:
            if self._finding is not None:
                self._finding.session.close()
            raise
        finally:
            self._close()

    def _left(self) -> timedelta:
        return max(timedelta(0), self._end - self._world.now())

    def _is_over(self) -> bool:
        self._look_for_an_end()
        if self._left() <= timedelta(0):
            return True
        quiet = self._race.done and not self._race.words(self._read) and not self._reserve
        quiet = quiet and not (self._proving or self._proofs) and (not self._dialler.left or self._only_lan_hangs())
        return quiet or (self._settled is not None and self._took() >= self._settled + self._hunt.grace)

    def _only_lan_hangs(self) -> bool:
        """Whether all that still hangs is the address in the house, which is not where we are."""
        if self._at_home or not self._ends or self._took() < _LAN:
            return False
        return all(c.way is Way.LAN for spot in self._claims if spot not in self._ends for c in self._claims[spot])

    def _look_for_an_end(self) -> None:
        if self._world.ending.is_set() or (self._hunt.cancel is not None and self._hunt.cancel.is_set()):
            raise Trouble(Kind.INTERRUPTED, f"the search for {self._hunt.host.name} was interrupted")

    def _took(self) -> timedelta:
        return self._world.now() - self._begun

    def _take_what_is_known(self) -> None:
        """What needs no question: the address in the house, literal addresses, and where the host was before."""
        host = self._hunt.host
        if host.lan is not None:
            self._at_home = self._is_at_home(host.lan.ip)
            self._take_claim(host.lan, Claim(Way.LAN, "laptop.toml", detail="its address at home"))
        for name in host.names:
            if is_literal(name):
                self._take_claim(Spot(name, host.port), Claim(Way.GIVEN, "laptop.toml"))
        latest = True
        for proved in self._remembered():
            spot = Spot(proved.ip, proved.port)
            if spot != host.lan and proved.port != host.port:
                continue  # the port was changed since
            detail = f"learnt by way of {proved.way}" if proved.way else ""
            self._take_claim(spot, Claim(Way.PROVED, "memory", proved.at, detail), reserve=not latest)
            latest = latest and spot == host.lan

    def _remembered(self) -> tuple[Proved, ...]:
        try:
            return self._world.memory.proved(self._hunt.host.name)
        except Trouble as trouble:  # there are other ways
            self._hunt.tell(Sight("note", text=str(trouble)))
            return ()

    def _is_at_home(self, ip: str) -> bool:
        try:
            ours = [(str(one.address), one.prefix) for one in self._world.interfaces.addresses()]
        except Unreachable:  # the usual sizes of a house's networks stand for what the system does not tell
            own = source_of(ip)
            ours = [(own, 64 if ":" in own else 24)] if own else []
        return same_network(ip, ours)

    def _take_words(self) -> None:
        for word in self._race.words(self._read):
            self._read += 1
            if word.claim is None:
                self._hunt.tell(Sight("note", text=word.text))
            elif word.ip:
                self._take_claim(Spot(word.ip, self._hunt.host.port), word.claim)
            else:
                who = word.claim.who
                text = word.text if who in word.text else f"{who}: {word.text}"
                self._silent.setdefault(word.claim.way, text)
                if text not in self._said:
                    self._said.add(text)
                    self._hunt.tell(Sight("silent", claim=word.claim, text=text))

    def _take_claim(self, spot: Spot, claim: Claim, *, reserve: bool = False) -> None:
        known = self._claims.setdefault(spot, [])
        if any((claim.way, claim.who) == (held.way, held.who) for held in known):
            return  # said before
        known.append(claim)
        self._hunt.tell(Sight("claim", spot, claim))
        if self._hunt.prover is None:
            if self._settled is None and self._end_of(spot).current:
                self._settled = self._took()
            return
        if spot in self._hunt.shun:
            self._ends.setdefault(spot, Proof(spot, None, Fate.STRANGER, "it showed another key a moment ago"))
        elif reserve:
            self._reserve.append(spot)
        else:
            self._dialler.add(spot, rank(claim.way, at_home=self._at_home, hijacked=self._race.hijacked))

    def _take_dialled(self, dialled: Dialled) -> None:
        spot, sock, reason = dialled
        if sock is None:
            self._take_end(Proof(spot, None, Fate.CLOSED, reason))
            return
        self._hunt.tell(Sight("connected", spot))
        self._proving[spot] = sock
        within = max(timedelta(seconds=0.1), min(_PROOF, self._left() * 7 / 8))  # the rest: to hear of its end
        prover = self._hunt.prover
        assert prover is not None  # noqa: S101 - nothing is dialled without one

        def greeted() -> None:
            if not self._over:
                self._hunt.tell(Sight("greeted", spot))

        def run() -> None:
            proof = Proof(spot, None, Fate.CLOSED, "its key could not be asked for")
            try:
                proof = prove(prover, dialled, self._hunt.pins, within, greeted)
            finally:
                with self._lock:
                    late = self._over
                    if not late:
                        self._proofs.append(proof)
                if late and proof.session is not None:
                    proof.session.close()
                self._dialler.wake()

        threading.Thread(target=run, name=f"prove {spot}", daemon=True).start()

    def _take_proofs(self) -> None:
        with self._lock:
            proofs, self._proofs = self._proofs, []
        for proof in proofs:
            self._proving.pop(proof.spot, None)
            self._take_end(proof)

    def _take_end(self, proof: Proof) -> None:
        self._ends[proof.spot] = proof._replace(session=None)
        if proof.session is not None and self._finding is None:
            candidate = Candidate(proof.spot, tuple(self._claims[proof.spot]))
            self._settled = self._took()
            self._finding = Finding(candidate, proof.session, self._settled)
            self._remember(candidate)
        elif proof.session is not None:
            proof.session.close()
        text = proof.text
        if proof.fate is Fate.STRANGER:
            text = f"another machine is at {proof.spot}: {text}; it is passed over"
        self._hunt.tell(Sight(str(proof.fate), proof.spot, key=proof.key, text=text))

    def _remember(self, candidate: Candidate) -> None:
        spot, now = candidate.spot, self._world.clock.now()
        before = next(((i, p) for i, p in enumerate(self._remembered()) if (p.ip, p.port) == spot), None)
        if before is not None and before[0] == 0 and timedelta(0) <= now - before[1].at < _AGAIN:
            return
        ways = [str(claim.way) for claim in candidate.claims if claim.way is not Way.PROVED]
        way = ways[0] if ways else before[1].way if before is not None else ""
        try:
            self._world.memory.note_proved(self._hunt.host.name, *spot, way, now)
        except Trouble as trouble:  # the host is found all the same
            self._hunt.tell(Sight("note", text=str(trouble)))

    def _when_it_takes_long(self) -> None:
        took = self._took()
        if self._outside and self._settled is None and took > _ODD:
            self._race.probe()
        hangs = self._hunt.prover is not None and self._settled is None and bool(self._dialler.left)
        if hangs and self._race.done and took - self._asked >= _ASK_AGAIN:
            self._asked = took
            self._race.again()
        if self._reserve and (took > _RESERVE or self._race.done):
            for spot in self._reserve if self._finding is None else ():
                self._dialler.add(spot, rank(Way.SYSTEM, at_home=False) + 1)
            self._reserve = []

    def _outcome(self) -> Outcome:
        shown = marked if self._race.hijacked else tuple[Claim, ...]
        candidates = tuple(Candidate(spot, shown(claims)) for spot, claims in self._claims.items())
        ends = tuple(self._end_of(spot) for spot in self._claims)
        located = self._hunt.prover is None and bool(self._claims) and not self._hunt.host.names
        trouble = None
        if self._settled is None and not located:
            if self._outside:
                self._await_portal()
            trouble = judge(self._search(ends if self._hunt.prover is not None else ()))
        return Outcome(self._finding, trouble, candidates, ends)

    def _end_of(self, spot: Spot) -> End:
        ways = {claim.way for claim in self._claims[spot]}
        current = bool(ways & _CURRENT) or (Way.LAN in ways and self._at_home)
        proof = self._ends.get(spot)
        if proof is None:
            text = "it has not shown its key yet" if spot in self._proving else ""
            return End(spot, Fate.OPEN, text, current=current)
        return End(spot, proof.fate, proof.text, proof.key, current)

    def _await_portal(self) -> None:
        self._race.probe()
        while not self._race.looked.wait(min(_TICK, self._left()).total_seconds()):
            self._look_for_an_end()
            if self._left() <= timedelta(0):
                return

    def _search(self, ends: tuple[End, ...]) -> Search:
        race, host = self._race, self._hunt.host
        return Search(
            host=host.name,
            ends=ends,
            silent=tuple(self._silent[way] for way in Way if way in self._silent),
            missing=race.missing,
            hijacked=race.hijacked,
            answered=race.answered,
            routed=self._around.routed(),
            at_home=self._at_home,
            portal=race.portal,
            named=bool(host.names),
            pinned=self._hunt.pins.keys,
        )

    def _close(self) -> None:
        """Let go of everything that is under way; the proving threads end as their connections do."""
        self._race.unlisten(self._dialler.wake)
        with self._lock:
            self._over = True
            proofs, self._proofs = self._proofs, []
        for proof in proofs:
            if proof.session is not None:
                proof.session.close()
        for sock in self._proving.values():
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)
        self._dialler.close()
