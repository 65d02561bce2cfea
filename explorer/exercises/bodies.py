"""What stands where the skeleton has ``raise NotImplementedError``: right lines, the parts to be written in «…».

Everything else of an exercise is the skeleton's: names, what goes in and comes out, the first hint.
"""

BODIES = {
    "Embedding.forward": """
        B, T = idx.shape
        positions = «torch.arange(T, device=idx.device)»  # (T,)
        token = «self.vocab_embeddings(idx)»  # (B, T, C)
        position = «self.position_embeddings(positions)»  # (T, C)
        return «token + position»  # (B, T, C)
    """,
    "GenericSelfAttention.forward": """
        B, T, C = x.shape
        H, D = self.n_head, «C // self.n_head»
        q = self.q(x)«.view(B, T, H, D).transpose(1, 2)»  # (B, H, T, D)
        k = self.k(x)«.view(B, T, H, D).transpose(1, 2)»  # (B, H, T, D)
        v = self.v(x)«.view(B, T, H, D).transpose(1, 2)»  # (B, H, T, D)
        scores = q @ «k.transpose(-2, -1)» / «math.sqrt(D)»  # (B, H, T, T)
        scores = scores.masked_fill(«attention_mask == 0», «float("-inf")»)
        pattern = F.softmax(scores, dim=«-1»)
        pattern = «self.attn_dropout(pattern)»
        z = «pattern @ v»  # (B, H, T, D)
        merged = z«.transpose(1, 2).reshape(B, T, C)»  # (B, T, C)
        return «self.hidden_dropout(self.c_proj(merged))»
    """,
    "TransformerBlock.forward": """
        x = x + «self.attn(self.ln_1(x), attention_mask)»  # (B, T, C)
        x = x + «self.mlpf(self.ln_2(x))»  # (B, T, C)
        return x
    """,
    "GenericTransformer.forward": """
        is_padding = idx == -1
        num_tokens = «(~is_padding).sum(dim=1)»  # (B,)
        ids = idx.masked_fill(is_padding, «0»).long()
        x = self.transformer["embedding"](ids)  # (B, T, C)
        P = 0
        if hidden_cache is not None:
            P = hidden_cache.shape[1]
            x = torch.cat(«[hidden_cache, x]», dim=«1»)  # (B, P+T, C)
        mask = self.get_attention_mask(«num_tokens + P»)
        for block in self.transformer["h"]:
            x = «block(x, mask)»
        x = «self.transformer["ln_f"](x)»
        if return_hidden:
            return x
        logits = «self.lm_head(x)»  # (B, P+T, V)
        if targets is None:
            return logits, None
        asked = logits if P == 0 else logits[:, «P - 1 : -1»]  # (B, T, V)
        loss = F.cross_entropy(«asked.flatten(0, 1)», «targets.flatten().long()», ignore_index=«-1»)
        return logits, loss
    """,
    "Encoder.get_attention_mask": """
        B, T = len(num_tokens), int(num_tokens.max())
        columns = torch.arange(T, device=num_tokens.device)  # (T,)
        visible = «columns < num_tokens[:, None]»  # (B, T)
        return visible[:, None, None, :].expand(«B, 1, T, T»).int()
    """,
    "Decoder.get_attention_mask": """
        B, T = len(num_tokens), int(num_tokens.max())
        columns = torch.arange(T, device=num_tokens.device)  # (T,)
        real = «(columns < num_tokens[:, None])»[:, None, None, :].expand(B, 1, T, T).int()
        return «torch.tril(real)»  # (B, 1, T, T)
    """,
    "generate": """
        for _ in range(max_new_tokens):
            logits, _ = model(«idx»)  # (B, T, V)
            last = «logits[:, -1]»  # (B, V)
            chances = F.softmax(«last / temperature», dim=-1)
            new = «torch.multinomial(chances, 1)»  # (B, 1)
            idx = torch.cat(«[idx, new]», dim=1)  # (B, T+1)
        return idx
    """,
    "EncoderDecoder.__init__": """
        decoder_config.vocab_size = «decoder_config.vocab_size + 1»
        self.encoder = «Encoder(encoder_config)»
        self.decoder = «Decoder(decoder_config)»
    """,
    "EncoderDecoder.forward": """
        hidden = self.encoder(prefix, return_hidden=«True»)  # (B, P, C)
        tokens = prefix.new_empty(len(prefix), 0) if targets is None else «targets»  # (B, T)
        return self.decoder(«tokens», targets=«targets», hidden_cache=«hidden»)
    """,
    "prefix_generate": """
        hidden = model.encoder(«prefix», return_hidden=True)  # (B, P, C)
        text = prefix.new_empty(«len(prefix), 0»)  # (B, 0)
        for _ in range(max_new_tokens):
            logits, _ = model.decoder(text, hidden_cache=«hidden»)  # (B, P+T, V)
            chances = F.softmax(«logits[:, -1] / temperature», dim=-1)
            new = «torch.multinomial(chances, 1)»  # (B, 1)
            text = torch.cat(«[text, new]», dim=1)  # (B, T+1)
        return «text»
    """,
}
