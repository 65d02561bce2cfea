// A safetensors file, decoded: typed arrays laid on the bytes, nothing copied. Pure: no DOM.

const KINDS = { U8: Uint8Array, U16: Uint16Array, I32: Int32Array, F32: Float32Array };

/** ArrayBuffer -> {name: {data, shape}}. */
export function parseSafetensors(buffer) {
  const wrong = new Error("The server sent something that is not a safetensors file: load the page again.");
  if (buffer.byteLength < 8) throw wrong;
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > buffer.byteLength - 8) throw wrong;
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from],
        },
      ]) => [
        name,
        {
          shape,
          data: new KINDS[dtype](
            buffer,
            8 + length + from,
            shape.reduce((a, b) => a * b, 1),
          ),
        },
      ],
    ),
  );
}
