"""Every mistake that a diagnosis can name: what it is called, what the student is told, and where it is explained.

``FAULTS`` has one entry for each switch of ``solution.py``. Within a block the likelier ones come first: a diagnosis
tries them in this order. Concrete places ("token 3", "head 1") are those of the probe: 7 tokens, 3 heads, counted
from 0.
"""

from dataclasses import dataclass
from typing import Any

MASKS = ("encoder mask", "decoder mask")
SAMPLERS = ("generate", "prefix generate")


@dataclass(frozen=True, slots=True)
class Fault:
    """``lesson`` is the id of a lesson and its step, counted from 1; ``shown`` names the first tensor that is wrong."""

    name: str
    blocks: tuple[str, ...]
    title: str
    sentence: str  # what the student did
    effect: str  # what it does to the model
    idea: str  # what the reference does, in words
    shown: str
    lesson: tuple[str, int] | None = None


def _of(*blocks: str, **faults: tuple) -> list[Fault]:
    """Entries of one kind of block: name = (title, sentence, effect, idea, shown[, lesson, step])."""
    return [_fault(name.replace("_", "-"), blocks, *texts) for name, texts in faults.items()]


def _fault(
    name: str, blocks: tuple[str, ...], title: str, sentence: str, effect: str, idea: str, shown: str, *lesson: Any
) -> Fault:
    return Fault(name, blocks, title, sentence, effect, idea, shown, tuple(lesson) or None)


_PLACES = "Row t of position_embeddings is added to token t of every sequence; t runs from 0 to T-1."
_SPLIT = "Cut each token's row of C numbers into H pieces with view(B, T, H, D); only then transpose tokens and heads."
_SCALE = "q·k is a sum of D = n_embd / n_head products, so its spread grows with √D: divide by that."
_SOFTMAX = "For every query, the weights of all keys sum to 1: softmax over the last dimension of (B, H, T, T)."
_MASK = "Where the mask is 0 the score becomes -inf before the softmax, so that the weight is exactly 0."
_DROPOUT = "Two places: attn_dropout on the weights right after the softmax, hidden_dropout on what c_proj returns."
_BLOCK = "Norm first, then the layer, then add to the stream: x + attn(ln_1(x)), and then x + mlpf(ln_2(x))."
_FINAL = "After the last block, and only there, ln_f norms the stream; lm_head reads what it returns."
_CACHE = "Concatenate along the token dimension, the hidden cache first, and count its P positions in the mask."
_LOSS = "Compare the logits of every position with the target given for it; the mean is over targets that are not -1."
_COLUMNS = "Column j is visible in every row exactly when j < num_tokens[b]."
_TRIANGLE = "Query i sees the keys j <= i: itself and what came before it (a lower triangle with its diagonal)."
_DRAW = "softmax(logits of the last position / temperature) gives the probabilities; draw one token from them."
_FEED = "Append each new token to the old ones, and give the model all of them again."
_JOIN = "The encoder's hidden states are the decoder's hidden_cache; the decoder's own tokens are the targets."

FAULTS: tuple[Fault, ...] = tuple(
    [
        *_of(
            "embedding",
            no_positions=(
                "Positions forgotten",
                "Your Embedding returns the token's row alone; the position's row is never added.",
                "The model cannot tell “dog bites man” from “man bites dog”: without a causal mask, order is lost.",
                _PLACES,
                "embedding (B, T, C)",
                "museum",
                11,
            ),
            positions_from_one=(
                "Positions counted from 1",
                "Your positions start at 1: token 0 gets row 1 of position_embeddings.",
                "It still trains, but the last row is out of reach: a text as long as block_size breaks.",
                _PLACES,
                "position of each token",
                "vectors",
                7,
            ),
            positions_over_batch=(
                "Positions counted over the batch",
                "Your positions keep counting from one sequence to the next: the second sequence starts "
                "at T, not at 0.",
                "A text is read differently depending on which row of the batch it is in.",
                _PLACES,
                "position of each token",
                "vectors",
                7,
            ),
            one_position=(
                "One position for all",
                "Every token gets the same row of position_embeddings.",
                "The same number is added everywhere, so the model learns nothing about order.",
                _PLACES,
                "position of each token",
                "museum",
                11,
            ),
        ),
        *_of(
            "attention",
            split_by_reshape=(
                "Heads cut with reshape alone",
                "Your heads are cut with reshape where a transpose is needed: token 3's numbers end up in head 1.",
                "Each head sees a few tokens instead of a part of every token; later tokens leak into earlier ones.",
                _SPLIT,
                "queries cut into heads (B, H, T, D)",
                "heads",
                4,
            ),
            merge_by_reshape=(
                "Heads merged without transposing back",
                "You merge the heads with reshape, without transposing back first: "
                "token 0's row is filled with head 0 of tokens 0, 1 and 2.",
                "Each token gets what others attended to; the causal mask no longer hides the future.",
                "Transpose (B, H, T, D) to (B, T, H, D) first; then the last two dimensions can be joined into C.",
                "heads merged (B, T, C)",
                "heads",
                11,
            ),
            one_head=(
                "One head only",
                "Your attention has one wide head: the step that splits q, k and v into n_head pieces is missing.",
                "Every token can attend to only one thing at a time; the number of parameters does not show it.",
                _SPLIT,
                "queries cut into heads (B, H, T, D)",
                "museum",
                4,
            ),
            no_scale=(
                "Scores are not scaled",
                "Your scores are not divided by sqrt(n_embd / n_head).",
                "Large scores make the softmax all or nothing, and its gradients vanish: learning starts slowly.",
                _SCALE,
                "scores (B, H, T, T)",
                "attention",
                5,
            ),
            scale_by_width=(
                "Scaled by the whole width",
                "Your scores are scaled by sqrt(n_embd) instead of sqrt(n_embd / n_head).",
                "Scores are too small by sqrt(n_head), so every token attends a little to everything.",
                _SCALE,
                "scores (B, H, T, T)",
                "museum",
                6,
            ),
            scale_without_root=(
                "Scaled without the root",
                "Your scores are divided by n_embd / n_head; its square root is missing.",
                "Scores are far too small, so attention starts as a plain average of all tokens.",
                _SCALE,
                "scores (B, H, T, T)",
                "attention",
                5,
            ),
            mask_ignored=(
                "Mask not used",
                "Your attention never uses attention_mask: hidden keys get weight.",
                "Padding counts as text, and a decoder sees the very token it should predict.",
                _MASK,
                "what goes into the softmax (B, H, T, T)",
                "attention",
                6,
            ),
            mask_inverted=(
                "Mask the wrong way round",
                "You hide the keys where the mask is 1, and show those where it is 0.",
                "Every token looks at the future and at padding only; rows that see everything become NaN.",
                _MASK + " 1 means visible.",
                "what goes into the softmax (B, H, T, T)",
                "museum",
                9,
            ),
            mask_after_softmax=(
                "Mask after the softmax",
                "You set the weights of hidden keys to 0 after the softmax, so the rows no longer sum to 1.",
                "Hidden keys still take their share of the weight: early tokens get almost nothing, and the future "
                "leaks as a sum.",
                _MASK,
                "pattern (B, H, T, T)",
                "museum",
                8,
            ),
            mask_added=(
                "Mask added as numbers",
                "You add the mask itself (0 and 1) to the scores: that raises visible keys by 1, and hides none.",
                "Padding and the future keep about a third of the weight they would have.",
                _MASK + " Adding works only with 0 for visible and -inf for hidden.",
                "what goes into the softmax (B, H, T, T)",
                "attention",
                6,
            ),
            softmax_over_queries=(
                "Softmax over the queries",
                "Your softmax runs over dimension -2, the queries: columns sum to 1 instead of rows.",
                "What a token takes in depends on the other tokens; in a causal model the future leaks through the "
                "sums.",
                _SOFTMAX,
                "pattern (B, H, T, T)",
                "museum",
                7,
            ),
            softmax_over_heads=(
                "Softmax over the heads",
                "Your softmax runs over dimension 1, the heads: for each query and key the heads share a weight of 1.",
                "A token no longer chooses among keys; heads compete, and keys hidden from all become NaN.",
                _SOFTMAX,
                "pattern (B, H, T, T)",
                "attention",
                7,
            ),
            no_softmax=(
                "No softmax",
                "Your scores are multiplied by the values directly: the softmax is missing.",
                "Weights are negative and unbounded, and rows do not sum to 1.",
                _SOFTMAX,
                "pattern (B, H, T, T)",
                "attention",
                7,
            ),
            no_attention_dropout=(
                "Dropout on the weights is missing",
                "attn_dropout is not applied to the weights after the softmax.",
                "In training the model may rely on single keys: it overfits sooner.",
                _DROPOUT,
                "heads mixed from the values (B, H, T, D)",
                "dropout",
                2,
            ),
            no_output_dropout=(
                "Dropout on the output is missing",
                "hidden_dropout is not applied to the final output.",
                "In training nothing is dropped on the way into the residual stream: it overfits sooner.",
                _DROPOUT,
                "output (B, T, C)",
                "dropout",
                4,
            ),
            third_dropout=(
                "A third dropout",
                "You also drop what comes out of weights @ values, before c_proj: a third place.",
                "More noise than the homework asks for; in eval mode nothing shows.",
                _DROPOUT,
                "a tensor dropped once too often",
                "museum",
                13,
            ),
            dropout_on_scores=(
                "Dropout before the softmax",
                "You also drop scores, before the softmax: a score of 0 is not a weight of 0.",
                "Dropped keys get a medium weight instead of none, and the expected output shifts.",
                _DROPOUT,
                "scores (B, H, T, T)",
                "dropout",
                6,
            ),
            dropout_on_values=(
                "Dropout on the values",
                "You also drop numbers of v itself: a third place.",
                "More noise than the homework asks for; in eval mode nothing shows.",
                _DROPOUT,
                "values (B, H, T, D)",
                "dropout",
                7,
            ),
            dropouts_swapped=(
                "The two dropouts swapped",
                "You use hidden_dropout on the weights and attn_dropout on the output.",
                "Nothing shows while both rates are equal; with different rates the wrong amount is dropped.",
                _DROPOUT,
                "a tensor dropped at the wrong rate",
                "dropout",
                4,
            ),
            loop_over_heads=(
                "A loop over heads",
                "The numbers are right, but you compute one head after the other: the number of matrix products "
                "grows with n_head.",
                "It is an order of magnitude slower on a GPU and rounds differently; the homework forbids it.",
                "Put the heads in a dimension of their own, (B, H, T, D): one matrix product serves all of them.",
                "heads, one by one",
                "loop",
                1,
            ),
            no_projection=(
                "c_proj is missing",
                "You return the merged heads; c_proj never runs.",
                "Heads cannot mix, and a quarter of attention's weights are never trained.",
                "The merged heads (B, T, C) go through c_proj, and then through hidden_dropout.",
                "output (B, T, C)",
                "attention",
                12,
            ),
            qk_swapped=(
                "q and k mixed up",
                "Your queries come from self.k and your keys from self.q.",
                "It trains the same from scratch, since both are only names; with trained weights its scores are "
                "transposed.",
                "The token that attends is the query (rows), the token it attends to is the key (columns): q @ k "
                "transposed.",
                "scores (B, H, T, T)",
                "attention",
                2,
            ),
            kv_swapped=(
                "k and v mixed up",
                "Your keys come from self.v and your values from self.k.",
                "It trains the same from scratch, since both are only names; with trained weights it mixes vectors "
                "that were meant for matching.",
                "Keys are compared with queries; values are what is mixed.",
                "scores (B, H, T, T)",
                "attention",
                2,
            ),
        ),
        *_of(
            "block",
            post_norm=(
                "Norm after the sum",
                "Your block norms after adding (post-norm); GPT-2 norms before each layer.",
                "The stream is rescaled in every layer: deep models train unstably without a warm-up.",
                _BLOCK,
                "after attention (B, T, C)",
                "block",
                4,
            ),
            no_residual=(
                "Nothing is added to the stream",
                "Your block returns the layers' output; x itself is not added back.",
                "Each layer has to pass on everything itself; gradients fade on the way back.",
                _BLOCK,
                "after attention (B, T, C)",
                "attention",
                12,
            ),
            stream_normalised=(
                "The stream itself is normed",
                "You write x = ln_1(x) and then add to that x: the sum starts from the normed stream.",
                "What earlier layers wrote is rescaled in each block; there is no clean path from embedding to output.",
                _BLOCK,
                "after attention (B, T, C)",
                "block",
                2,
            ),
            one_norm_twice=(
                "One norm used twice",
                "You use ln_1 before the MLP too; ln_2 never runs.",
                "Attention and MLP must share a norm, and ln_2 is never trained. Fresh norms are equal, "
                "so nothing shows at first.",
                _BLOCK,
                "what goes into the MLP (B, T, C)",
                "block",
                3,
            ),
            parallel=(
                "Attention and MLP side by side",
                "Your MLP reads the x from before attention, not the sum.",
                "The MLP of a layer cannot use what its attention just found.",
                _BLOCK,
                "what goes into the MLP (B, T, C)",
                "block",
                2,
            ),
        ),
        *_of(
            "transformer",
            norm_in_every_block=(
                "Final norm inside the loop",
                "The final layer norm runs inside the loop over blocks: ln_f is applied after every block.",
                "The stream is rescaled in each layer; with trained weights the text falls apart.",
                _FINAL,
                "after the first block (B, T, C)",
                "museum",
                12,
            ),
            no_final_norm=(
                "Final norm forgotten",
                "ln_f never runs: lm_head reads the raw stream.",
                "Logits grow with the depth of the model, and ln_f is never trained.",
                _FINAL,
                "logits (B, T, V)",
                "block",
                7,
            ),
            hidden_before_norm=(
                "Hidden states from before ln_f",
                "With return_hidden=True you return the states from before ln_f.",
                "The decoder gets an encoder's raw stream in its cache, on a different scale from its own tokens.",
                "return_hidden gives what ln_f returns: the same states that lm_head would read.",
                "hidden states (B, T, C)",
                "block",
                7,
            ),
            padding_embedded=(
                "-1 looked up as a token",
                "The padding -1 goes into vocab_embeddings as it is; there is no row -1.",
                "It stops with an index error (or, on a GPU, with a device assertion).",
                "Replace -1 by any real token before the look-up (clamp): the mask hides those positions anyway.",
                "token ids",
                "masks",
                3,
            ),
            mask_forgets_padding=(
                "Padding not counted for the mask",
                "You give the mask the full length T for every row, whether it is padded or not.",
                "Padding is read as text: what a sequence means depends on how long its neighbors in the batch are.",
                "num_tokens[b] is the number of positions in row b that are not -1 (plus P of the cache).",
                "number of tokens of each row",
                "attention",
                6,
            ),
            cache_behind=(
                "Hidden cache after the tokens",
                "You put hidden_cache after the tokens instead of before them.",
                "Under a causal mask no token can see the cache: the decoder never reads the title.",
                _CACHE,
                "cache and tokens (B, P+T, C)",
                "encoder-decoder",
                8,
            ),
            cache_ignored=(
                "Hidden cache not used",
                "hidden_cache is not put before the tokens.",
                "The decoder writes without having read the title.",
                _CACHE,
                "cache and tokens (B, P+T, C)",
                "encoder-decoder",
                8,
            ),
            cache_not_in_mask=(
                "The mask forgets the cache",
                "You put the cache before the tokens, but the mask is made for only T positions, not for P+T.",
                "Scores (P+T by P+T) and mask (T by T) do not fit: it stops with a shape error.",
                _CACHE,
                "number of tokens of each row",
                "encoder-decoder",
                8,
            ),
            cache_targets_not_shifted=(
                "Targets not shifted with a cache",
                "With a cache you compare logits[:, P:] with the targets: each position has to predict the token "
                "that it was given.",
                "The loss falls toward 0, because copying is easy; what it writes is nonsense.",
                "The caller has not shifted the targets here, so the position before a token predicts it: logits[:, "
                "P-1:-1].",
                "logits that meet the targets (B, T, V)",
                "training-step",
                2,
            ),
            targets_shifted_twice=(
                "Targets shifted twice",
                "You shift the targets once more, although the caller already did: the model is asked "
                "for the token after next.",
                "It trains, to a higher loss, and its texts skip words.",
                _LOSS,
                "logits that meet the targets",
                "training-step",
                2,
            ),
            loss_over_padding=(
                "Loss over padding",
                "Your loss counts the padding too: targets of -1 are taken for token 0.",
                "A model that has learned to write padding looks good; short texts count as much as long ones.",
                _LOSS,
                "targets",
                "training-step",
                6,
            ),
            padding_not_ignored=(
                "Targets of -1 not ignored",
                "The homework marks padding in the targets with -1, and your loss does not ignore it: ignore_index "
                "must be -1 (the default of cross_entropy is -100).",
                "It stops with an index error: the vocabulary has no token -1.",
                _LOSS,
                "targets",
                "training-step",
                6,
            ),
            loss_summed=(
                "Loss summed",
                "Your loss is the sum over all targets, not their mean.",
                "The step size grows with the batch, and losses of different batches cannot be compared.",
                _LOSS,
                "loss",
                "training-step",
                5,
            ),
        ),
        *_of(
            *MASKS,
            padding_forgotten=(
                "Padding visible",
                "Your mask does not use num_tokens: columns of padding are visible.",
                "Padding is read as text, and the answer depends on how far a row is padded.",
                _COLUMNS,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
            padding_off_by_one=(
                "Padding off by one",
                "Column num_tokens[b] is visible: the first position of padding. It should be j < num_tokens[b].",
                "One position of padding is read as text.",
                _COLUMNS,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
        ),
        *_of(
            "encoder mask",  # under a causal mask it is the same as padded_rows_see_nothing
            padding_hides_rows=(
                "Rows hidden instead of columns",
                "You hide the rows of padding, not its columns: padding is a key that real tokens still see.",
                "Real tokens read padding, and the hidden rows turn into NaN in the softmax.",
                _COLUMNS,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
        ),
        *_of(
            *MASKS,
            padded_rows_see_nothing=(
                "Rows of padding are hidden completely",
                "Rows of padded tokens are hidden completely: softmax gives NaN.",
                "A softmax over nothing is 0/0; NaN spreads into the loss through the next layer.",
                _COLUMNS,
                "mask (B, 1, T, T)",
                "attention",
                7,
            ),
            mask_means_hidden=(
                "0 and 1 the wrong way round",
                "Your mask has 1 where a key is hidden; 0 must mean hidden.",
                "Tokens attend to exactly what they should not see.",
                "1 (or True) where a query may look at a key, 0 where it may not.",
                "mask (B, 1, T, T)",
                "museum",
                9,
            ),
            one_mask_for_all=(
                "One row's mask for the whole batch",
                "Every row of the batch gets the mask of row 0.",
                "Shorter rows read their padding, or longer ones lose their end.",
                _COLUMNS + " Each sequence b has its own length.",
                "mask (B, 1, T, T)",
                "masks",
                4,
            ),
        ),
        *_of(
            "decoder mask",
            not_causal=(
                "Not causal",
                "Your decoder's mask hides padding only: every token sees the ones after it.",
                "The loss falls to almost nothing, because the answer is visible; writing fails.",
                _TRIANGLE,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
            sees_one_ahead=(
                "Causal mask off by one: sees one ahead",
                "Query i sees key i+1, the very token it should predict (tril with diagonal=1).",
                "The loss falls to almost nothing, because the answer is visible; writing fails.",
                _TRIANGLE,
                "mask (B, 1, T, T)",
                "museum",
                10,
            ),
            cannot_see_itself=(
                "Causal mask off by one: cannot see itself",
                "Query i sees only j < i: not itself (tril with diagonal=-1), so row 0 sees nothing.",
                "Row 0 becomes NaN in the softmax.",
                _TRIANGLE,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
            sees_only_ahead=(
                "Upper triangle instead of the lower",
                "Your mask keeps the upper triangle: query i sees j >= i, the future.",
                "Each token reads what it should predict, and nothing that came before.",
                _TRIANGLE,
                "mask (B, 1, T, T)",
                "attention",
                6,
            ),
        ),
        *_of(
            *SAMPLERS,
            temperature_multiplied=(
                "Temperature multiplied",
                "You multiply the logits by the temperature; they should be divided by it.",
                "High temperatures make the text dull and low ones make it wild: the wrong way round.",
                _DRAW,
                "logits of the next token (N, V)",
                "writing",
                3,
            ),
            temperature_ignored=(
                "Temperature ignored",
                "The temperature has no influence on what is drawn.",
                "At every temperature, the texts are those of temperature 1.0.",
                _DRAW,
                "logits of the next token (N, V)",
                "writing",
                3,
            ),
            always_argmax=(
                "Always the likeliest token",
                "You always take the likeliest token (argmax) instead of drawing one.",
                "Every text from a prompt is the same, and soon repeats itself.",
                _DRAW,
                "next token (N, 1)",
                "writing",
                2,
            ),
            first_position=(
                "Logits of the first position",
                "You read the logits of the first position; the next token is predicted at the last one.",
                "The text continues from the first token, whatever follows it.",
                _DRAW,
                "logits of the next token (N, V)",
                "writing",
                1,
            ),
            not_fed_back=(
                "New tokens not fed back",
                "The model is given the prompt again each time: what it wrote is not fed back.",
                "Every new token is drawn as if it were the first one.",
                _FEED,
                "what the model is given",
                "writing",
                6,
            ),
            only_last_token_seen=(
                "Only the last token is given",
                "The model is given only the newest token, without those before it.",
                "It forgets everything but one token, and positions start at 0 again.",
                _FEED,
                "what the model is given",
                "writing",
                9,
            ),
        ),
        *_of(
            "prefix generate",
            prefix_returned=(
                "The prefix is returned too",
                "You return the prefix together with the new tokens; only the new ones are asked for.",
                "The title, in the encoder's vocabulary, is read as if the decoder had written it.",
                "Start from an empty (B, 0), and return what was drawn: (B, max_new_tokens).",
                "what is returned",
                "encoder-decoder",
                10,
            ),
            encoded_every_time=(
                "The encoder runs for every token",
                "The encoder reads the prefix again for every new token; once is enough.",
                "The text is the same but takes longer, because the prefix does not change.",
                "Call the encoder once, before the loop, and give its states to the decoder each time.",
                "what the encoder is given",
                "encoder-decoder",
                3,
            ),
        ),
        *_of(
            "encoder-decoder",
            no_end_of_text=(
                "No end-of-text token",
                "The decoder's vocabulary is not one token larger than its config says: it has no token for the end "
                "of the text.",
                "The target “end of text” has no row: an index error, or texts that never end.",
                "decoder_config.vocab_size + 1: the last token is the end of the text.",
                "decoder's logits (B, P+T, V+1)",
                "writing",
                7,
            ),
            encoder_unused=(
                "The encoder's states are not used",
                "The decoder is called without hidden_cache: nothing from the prefix reaches it.",
                "A text is written for no title in particular; the encoder never learns.",
                _JOIN,
                "what goes into the decoder",
                "encoder-decoder",
                9,
            ),
            prefix_decoded=(
                "The decoder reads the prefix",
                "The decoder is given the prefix as its tokens instead of the targets.",
                "It is trained on the title's tokens instead of the text's.",
                _JOIN,
                "what goes into the decoder",
                "encoder-decoder",
                8,
            ),
            encoder_detached=(
                "The encoder does not learn",
                "The encoder's states are detached (detach or no_grad), so no gradient reaches its weights.",
                "The loss still falls, but the encoder stays as it was initialized.",
                _JOIN + " Gradients flow through them into the encoder.",
                "slope of the encoder's weights",
                "training-step",
                8,
            ),
        ),
    ]
)

NAMED = {fault.name: fault for fault in FAULTS}


def faults_of(block: str) -> list[Fault]:
    """The likelier ones first."""
    return [fault for fault in FAULTS if block in fault.blocks]
