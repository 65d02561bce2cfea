"""float16 as the browser widens it, against numpy's."""

import base64

import numpy as np

from explorer.engine.payload import pack

from ..modules import Modules


def test_the_browser_widens_float16_as_numpy_does(js: Modules):
    bits = np.arange(0, 2**16, 7, dtype=np.uint16)
    numbers = bits.view(np.float16)
    finite = numbers[np.isfinite(numbers)]
    payload = base64.b64encode(pack({}, {"x": ("float16", finite)})).decode()
    read = js("base/payload", "({parsePayload}, text) => [...parsePayload(buffer(text)).arrays.x.data]", payload)
    assert np.array_equal(np.array(read, dtype=np.float16), finite) and len(read) > 9000
