"""ask.mjs: of questions with one word the newest counts, a lost server is noticed and found again, one cache."""

import base64

import pytest
from playwright.sync_api import Error

from explorer.engine.payload import pack

PAYLOAD = base64.b64encode(pack({"text": "sail"}, {})).decode()
SERVER = """
    const json = (value) => new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } });
    const asked = [];
    const server = (answer) => (globalThis.fetch = async (url, request = {}) => {
        const name = url.pathname.slice(1);
        if (name !== "ask/rights") asked.push(name);
        request.signal?.throwIfAborted();
        const { signal, body } = request;
        const stopped = new Promise((_, no) => signal?.addEventListener("abort", () => no(signal.reason)));
        return Promise.race([answer(name, body && JSON.parse(body)), stopped]);
    });
    const wait = (ms) => new Promise((go) => setTimeout(go, ms));
    const ended = (promise) => promise.then((value) => value, (problem) => problem.name + ": " + problem.message);
"""


def run(js, body: str, *arguments):
    return js("state/ask", f"async ({{ask, load, isAborted}}, ...given) => {{ {SERVER} {body} }}", *arguments)


def test_json_payloads_and_sentences(js):
    found = run(
        js,
        """server((name) => name === "ask/a" ? json({ x: 1 })
            : name === "ask/b" ? new Response(buffer(given[0])) : new Response("It cannot be.", { status: 422 }));
        return [await ask("a"), (await ask("b")).text, await ended(ask("c"))];""",
        PAYLOAD,
    )
    assert found == [{"x": 1}, "sail", "Error: It cannot be."]


def test_of_questions_with_one_word_only_the_newest_is_answered(js):
    found = run(
        js,
        """server(async (name, { ms }) => { await wait(ms); return json(ms); });
        const newest = (ms) => ended(ask("a", { ms }, { newest: "text" }));
        const all = await Promise.all([300, 10, 100].map(newest));
        return [...all, await newest(1), document.body.dataset.busy];""",
    )
    assert [str(one)[:10] for one in found[:2]] == ["AbortError", "AbortError"]
    assert found[2:] == [100, 1, "false"]


def test_who_asks_can_leave(js):
    found = run(
        js,
        """server(async () => { await wait(5000); return json(1); });
        const leaving = new AbortController();
        const answer = ended(ask("a", {}, { signal: leaving.signal }));
        const before = document.body.dataset.busy;
        leaving.abort();
        return [before, (await answer).slice(0, 10), document.body.dataset.busy];""",
    )
    assert found == ["true", "AbortError", "false"]


def test_a_lost_server_is_said_once_and_the_question_is_answered_when_it_is_back(js):
    found = run(
        js,
        """const said = [];
        let isThere = false;
        document.addEventListener("hs-server", ({ detail }) => said.push(detail));
        server(() => { if (!isThere) throw new TypeError("Failed to fetch"); return json("here"); });
        const answers = [ask("a"), ask("b", {}, { quiet: true })];
        await wait(100);
        const meanwhile = [...said, document.body.dataset.busy];
        isThere = true;
        return [meanwhile, await Promise.all(answers), said, asked];""",
    )
    gone = "The server does not answer. Is the app still running?"
    assert found == [[gone, "false"], ["here", "here"], [gone, ""], ["ask/a", "ask/b", "ask/a", "ask/b"]]


def test_a_proxys_page_is_a_lost_server_and_our_own_503_is_a_sentence(js):
    found = run(
        js,
        """const html = { status: 502, headers: { "content-type": "text/html" } };
        let times = 0;
        server((name) => name === "ask/busy" ? new Response("Too many.", { status: 503 })
            : times++ < 2 ? new Response("<h1>Bad Gateway</h1>", html) : json("here"));
        return [await ended(ask("busy")), await ask("a")];""",
    )
    assert found == ["Error: Too many.", "here"]


def test_what_is_cached_is_asked_once(js):
    found = run(
        js,
        """server((name, body) => json({ name, ...body }));
        const kept = { cached: ({ x }) => x !== 2 };
        for (const x of [1, 2, 1, 2]) await ask("a", { x }, kept);
        await load("a.json", { cached: true });
        await load("a.json", { cached: true });
        await ask("a", { x: 1 });
        return asked;""",
    )
    assert found == ["ask/a", "ask/a", "ask/a", "a.json"]


CUT = """
    const cut = (...pieces) => new Response(new ReadableStream({ async start(out) {
        for (const piece of pieces) { out.enqueue(piece); await wait(5); }
        out.close();
    } }));
    const bytes = (text) => new TextEncoder().encode(text);
"""


def test_lines_come_whole_however_they_are_cut(js):
    found = run(
        js,
        CUT
        + """const all = bytes('{"text": "é☕"}\\n{"text": "b"}\\n');
        const heard = [];
        server((name) => cut(...[[0, 11], [11, 13], [13, 22], [22]].map((ends) => all.slice(...ends))));
        await ask("a", {}, { onLine: ({ text }) => heard.push(text) });
        server(() => cut(bytes('{"text": "c"}\\n{"error": "It broke."}\\n')));
        return [heard, await ended(ask("a", {}, { onLine: ({ text }) => heard.push(text) }))];""",
    )
    assert found == [["é☕", "b", "c"], "Error: It broke."]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_come_whole_however_they_are_cut(js, size):
    found = run(
        js,
        CUT
        + """const [text, size] = given;
        const one = new Uint8Array(buffer(text));
        const frame = new Uint8Array([...new Uint8Array(new Uint32Array([one.length]).buffer), ...one]);
        const all = new Uint8Array([...frame, ...frame]);
        const count = Math.ceil(all.length / size);
        const pieces = Array.from({ length: count }, (_, i) => all.slice(i * size, i * size + size));
        const heard = [];
        server(() => cut(...pieces));
        await ask("a", {}, { onFrame: ({ text }) => heard.push(text) });
        server(() => cut(frame, frame.slice(0, 9)));
        return [...heard, await ended(ask("a", {}, { onFrame: () => {} }))];""",
        PAYLOAD,
        size,
    )
    assert found == ["sail", "sail", "Error: The connection broke before the whole answer arrived: try again."]


def test_what_is_no_payload_is_a_sentence(js):
    with pytest.raises(Error, match="The server sent something that is not a result"):
        run(js, """server(() => new Response("<html>some proxy</html>")); await ask("a");""")
