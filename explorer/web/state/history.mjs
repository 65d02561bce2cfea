// The address of what is seen, and Back and Forward. Whatever shows something that the address says is a speaker: it
// says what it shows (`values(page)`), and shows what an address says (`show(page, values)`). Page, lesson, step and
// model are steps of their own in the browser's history; what is pointed at and kept replaces the address.

import { isStep } from "./address.mjs";
import { FIELDS, readAddress, startOf, writeAddress } from "./fields.mjs";

const SOON_MS = 150; // browsers refuse an address that changes more often than some 10 times a second

/** What an address says; a text that it could not hold whole is with the entry of the browser's history. */
function said() {
  const { page, values } = readAddress(location.search);
  const whole = history.state?.text;
  if (values.cut !== null && whole?.startsWith(values.text)) Object.assign(values, { text: whole, cut: null });
  return { page, values };
}

class Address {
  constructor() {
    this.speakers = [];
    this.timer = null;
    this.last = { page: null, values: null }; // what was written last of the page that is shown
    this.waiting = null; // what is to be written soon
    addEventListener("popstate", () => this.back());
    addEventListener("pagehide", () => this.write());
  }

  /**
   * @param {string[]} pages
   * @param {(page: string) => object | null} values null while it is not known: then nothing is written
   * @param {(page: string, values: any) => void} [show]
   */
  speak(pages, values, show = () => {}) {
    this.speakers.push({ pages, values, show });
  }

  /** What the address says of a page, if it speaks of that page. @returns {any} */
  of(page) {
    const { page: named, values } = said();
    return named === page ? values : startOf(page);
  }

  /** Something else is seen: the address follows soon. What a step would leave unwritten is written before it. */
  changed() {
    const { page } = document.body.dataset;
    const values = this.seen(page);
    const { waiting, last } = this;
    const isLost =
      waiting?.page === page && values && last.page === page && isStep(FIELDS[page], waiting.values, values);
    if (isLost && !this.isNext(waiting)) this.put(waiting);
    this.waiting = values && { page, values };
    this.timer ??= setTimeout(() => this.write(), SOON_MS);
  }

  /** The address says at once what is seen. */
  write() {
    this.forget();
    const { page } = document.body.dataset;
    const values = this.seen(page);
    if (values) this.put({ page, values });
  }

  forget() {
    clearTimeout(this.timer);
    this.timer = this.waiting = null;
  }

  isNext({ page, values }) {
    return this.last.page === page && this.last.values && isStep(FIELDS[page], this.last.values, values);
  }

  put(seen) {
    const how = this.isNext(seen) ? "pushState" : "replaceState";
    this.last = seen;
    put(how, seen.page, seen.values);
  }

  /**
   * What a page shows, or null while it is not known. What nobody speaks for yet, because the code for it is still on
   * its way, stays as the address has it.
   */
  seen(page) {
    const told = this.speakers.filter(({ pages }) => pages.includes(page)).map(({ values }) => values(page));
    if (told.length === 0 || told.includes(null)) return null;
    const { page: named, values } = said();
    return Object.assign(named === page ? values : {}, ...told);
  }

  /** Another page is a step of its own. */
  open(page) {
    this.write();
    document.body.dataset.page = page;
    put("pushState", page, this.seen(page) ?? {});
    this.last = { page, values: null };
  }

  /** A link of ours, followed without loading anew. */
  follow(search) {
    this.write();
    const { page, values } = readAddress(search);
    put("pushState", page, values);
    this.back();
  }

  /** The same, and what it leads to is seen from its top. */
  goTo(search) {
    this.follow(search);
    scrollTo(0, 0);
  }

  back() {
    this.forget();
    const { page, values } = said();
    this.last = { page, values: null };
    document.body.dataset.page = page;
    document.dispatchEvent(new CustomEvent("hs-page"));
    for (const speaker of this.speakers) if (speaker.pages.includes(page)) speaker.show(page, values);
  }
}

function put(how, page, values) {
  const search = writeAddress(location.search, page, values);
  const isCut = new URLSearchParams(search).has("cut");
  if (search === location.search && how === "replaceState") return;
  history[how](isCut ? { text: values.text } : null, "", `${location.pathname}${search}${location.hash}`);
}

export const address = new Address();
