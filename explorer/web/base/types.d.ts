// What travels between the modules. Layers, heads and places count from 0.

/** Numbers in row-major order, and how many there are on each axis. */
interface Tensor {
  data: Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;
  shape: number[];
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
