// What travels between the modules. Layers, heads and places count from 0.

/** Numbers in row-major order, and how many there are on each axis. */
interface Tensor {
  data: Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;
  shape: number[];
  /** Where `data` is null: the layers that have come (null: on the way), and what went wrong, by number. */
  layers?: Map<number, Uint16Array | null>;
  problems?: Map<number, string>;
}

/** A token as the model reads it. */
interface Token {
  id: number;
  text: string;
  /** It stands for no text: the start, a mask, a separator. */
  special?: boolean;
  /** Its bytes are no whole letter. */
  partial?: boolean;
}

/** One forward pass of a model: what the server's payload says, its arrays by name. */
interface Payload {
  model: { name: string; n_layer: number; n_head: number; vocab_size: number; token_limit: number; [fact: string]: any };
  text: string;
  tokens: Token[];
  mask: "causal" | "none";
  /** Of cross-attention: the tokens that are looked at; elsewhere they are `tokens`. */
  keys?: Token[];
  /** Of a model that is no decoder that stands alone: whose attention this is, and which there are. */
  stack?: string;
  stacks?: string[];
  /** What is predicted at a place: the token behind it (so it is where nothing is said), or its own; null: nothing. */
  predicts?: "next" | "own" | null;
  /** So many tokens in front are another text, of which nothing is predicted. */
  prefix?: number;
  /** The place that is hidden from an encoder, and what stands there; whether one can be hidden. */
  masked?: number | null;
  hidden?: Token | null;
  may_mask?: boolean;
  /** Pictures that cannot be drawn of this, and why. */
  without?: { [picture: string]: string };
  /** Texts of the tokens that are expected anywhere, by id. */
  pieces: { [id: number]: string };
  /** How the code calls what is shown, by the array's name. */
  names: { [array: string]: string };
  arrays: { [name: string]: Tensor };
  /** Which ones are shown, where not all of a model are. */
  layers?: number[] | null;
  heads?: number[] | null;
  [more: string]: any;
}

/** One head, or several as one: see aggregate.mjs. */
interface Heads {
  layer?: number;
  head?: number;
  by: string;
  over: string;
}

/** What all views look at: the choices of `CHOICES` by name, and places in the tensors; null where nothing is chosen. */
interface Focus extends Heads {
  layer: number;
  head: number;
  query: number | null;
  key: number | null;
  [choice: string]: any;
}
