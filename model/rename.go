package model

import "fovea/checkpoint"

// EncoderRenames lead from the names that published encoders have for their blocks, old and new, to those of nn.Stack and
// nn.Vision. Families put their own rules before them.
//
//	encoder.layer.3.attention.attention.query.weight    ViT, DINOv2, YOLOS, ViTPose, ViLT
//	layers.3.attention.q_proj.weight                    the same from version 5 on
//	encoder.layers.3.self_attn.q_proj.weight            CLIP, SigLIP, OWLv2
//	                  all become  encoder.blocks.3.attn.q.weight
var EncoderRenames = []checkpoint.Rename{
	{From: `(^|\.)position_ids$`, To: checkpoint.Drop}, // 0, 1, 2, …
	{From: `num_batches_tracked$`, To: checkpoint.Drop},
	{From: `(^|\.)mask_token$`, To: checkpoint.Drop}, // of the training
	{From: `(^|\.)embeddings\.cls_token$`, To: "${1}class"},
	{From: `(^|\.)embeddings\.class_embedding$`, To: "${1}class"},
	{From: `(^|\.)embeddings\.register_tokens$`, To: "${1}registers"},
	{From: `(^|\.)embeddings\.detection_tokens$`, To: "${1}detection"},
	{From: `(^|\.)embeddings\.position_embeddings?$`, To: "${1}pos"},
	{From: `(^|\.)embeddings\.position_embedding\.weight$`, To: "${1}pos"},
	{From: `(^|\.)embeddings\.patch_embeddings\.projection\.`, To: "${1}patch."},
	{From: `(^|\.)embeddings\.patch_embedding\.`, To: "${1}patch."},
	{From: `(^|\.)embeddings\.token_embedding\.weight$`, To: "${1}words"},
	{From: `(^|\.)pre_lay(er)?r?norm\.`, To: "${1}pre."}, // CLIP's is published as pre_layrnorm
	{From: `(^|\.)(encoder\.)?layers?\.(\d+)\.`, To: "${1}encoder.blocks.$3."},
	{From: `\.(self_attn|attention\.attention|attention)\.(q_proj|query)\.`, To: ".attn.q."},
	{From: `\.(self_attn|attention\.attention|attention)\.(k_proj|key)\.`, To: ".attn.k."},
	{From: `\.(self_attn|attention\.attention|attention)\.(v_proj|value)\.`, To: ".attn.v."},
	{From: `\.(self_attn|attention)\.(out_proj|o_proj|projection|output\.dense)\.`, To: ".attn.o."},
	{From: `\.(layernorm_before|layer_norm1)\.`, To: ".norm1."},
	{From: `\.(layernorm_after|layer_norm2)\.`, To: ".norm2."},
	{From: `\.(mlp\.fc1|intermediate\.dense)\.`, To: ".mlp.up."},
	{From: `\.(mlp\.fc2|output\.dense|mlp\.weights_out|mlp\.down_proj)\.`, To: ".mlp.down."},
	{From: `\.mlp\.(gate|up)_proj\.`, To: ".mlp.$1."},
	{From: `\.layer_scale([12])\.lambda1$`, To: ".scale$1.weight"},
	{From: `^(.*\.mlp\.)weights_in\.(\w+)$`, To: "${1}gate.$2|${1}up.$2"},
	{From: `^(.*)\.attention\.in_proj_(\w+)$`, To: "$1.attn.q.$2|$1.attn.k.$2|$1.attn.v.$2"},
	{From: `^(.*)\.self_attn\.qkv\.(\w+)$`, To: "$1.attn.q.$2|$1.attn.k.$2|$1.attn.v.$2"},
}

// DualRenames lead to the names of nn.Dual, by itself or inside another network.
var DualRenames = append([]checkpoint.Rename{
	{From: `(^|\.)(text|vision)_model\.`, To: "$1$2."},
	{From: `(^|\.)vision\.post_layernorm\.`, To: "${1}post."},
	{From: `(^|\.)text\.final_layer_norm\.`, To: "${1}text.encoder.norm."},
}, EncoderRenames...)

// BertRenames lead to the names of nn.Bert.
var BertRenames = append([]checkpoint.Rename{
	{From: `(^|\.)embeddings\.word_embeddings\.weight$`, To: "${1}embeddings.words"},
	{From: `(^|\.)embeddings\.position_embeddings\.weight$`, To: "${1}embeddings.pos"},
	{From: `(^|\.)embeddings\.token_type_embeddings\.weight$`, To: "${1}embeddings.types"},
	{From: `(^|\.)embeddings\.LayerNorm\.`, To: "${1}embeddings.norm."},
	{From: `\.attention\.self\.`, To: ".attention."},
	{From: `\.attention\.output\.LayerNorm\.`, To: ".norm1."},
	{From: `\.crossattention\.(self\.)?`, To: ".cross."},
	{From: `\.cross\.(q)uery\.|\.cross\.(k)ey\.|\.cross\.(v)alue\.`, To: ".cross.$1$2$3."},
	{From: `\.cross\.output\.dense\.`, To: ".cross.o."},
	{From: `\.cross\.output\.LayerNorm\.`, To: ".cross_norm."},
	{From: `\.output\.LayerNorm\.`, To: ".norm2."},
}, EncoderRenames...)

// DecoderRenames lead to the names of nn.Decoder, by itself or inside another network.
var DecoderRenames = append([]checkpoint.Rename{
	{From: `(^|\.)embed_tokens\.weight$`, To: "${1}words"},
	{From: `\.self_attn\.([qk])_norm\.`, To: ".attn.${1}_norm."},
	{From: `\.input_layernorm\.`, To: ".norm1."},
	{From: `\.post_attention_layernorm\.`, To: ".norm2."},
	{From: `\.pre_feedforward_layernorm\.`, To: ".norm3."},
	{From: `\.post_feedforward_layernorm\.`, To: ".norm4."},
	{From: `(^|\.)rotary_emb\.inv_freq$`, To: checkpoint.Drop}, // follows from the configuration
}, EncoderRenames...)
