package florence2

import "fovea/checkpoint"

// renames lead from both published spellings to the names of Model: that of the transformers library and the older one of
// the repositories that bring their own code.
//
//	model.vision_tower.blocks.2.1.spatial_block.window_attn.qkv.weight     the library's
//	vision_tower.blocks.2.1.spatial_block.window_attn.fn.qkv.weight        the older one
//	    both become  vision.stages.2.blocks.1.space.attn.{q,k,v}.weight
//	model.language_model.decoder.layers.0.encoder_attn.out_proj.weight
//	language_model.model.decoder.layers.0.encoder_attn.out_proj.weight
//	    both become  text.decoder.blocks.0.cross.o.weight
var renames = []checkpoint.Rename{
	{From: `^(model\.)?vision_tower\.`, To: "vision."},
	{From: `^vision\.convs\.(\d+)\.(conv|proj)\.`, To: "vision.stages.$1.embed."},
	{From: `^vision\.convs\.(\d+)\.norm\.`, To: "vision.stages.$1.norm."},
	{From: `^vision\.blocks\.(\d+)\.(\d+)\.spatial_block\.`, To: "vision.stages.$1.blocks.$2.space."},
	{From: `^vision\.blocks\.(\d+)\.(\d+)\.channel_block\.`, To: "vision.stages.$1.blocks.$2.channel."},
	{From: `\.(window|channel)_attn\.norm\.`, To: ".norm1."},
	{From: `\.ffn\.norm\.`, To: ".norm2."},
	{From: `\.fn\.(dw\.|net\.)?`, To: "."},
	{From: `\.(window|channel)_attn\.proj\.`, To: ".attn.o."},
	{From: `\.ffn\.fc`, To: ".fc"},

	{From: `^model\.multi_modal_projector\.`, To: ""},
	{From: `^image_projection\.weight$`, To: "project.map.weight"},
	{From: `^image_projection$`, To: "project.transposed"},
	{From: `^image_proj_norm\.`, To: "project.norm."},
	{From: `^image_pos(ition)?_embed\.(row|column)_embeddings\.weight$`, To: "project.$2"},
	{From: `^visual_temporal_embed\.pos_idx_to_embed$`, To: "project.time"},

	{From: `^(model\.)?language_model\.(model\.)?`, To: "text."},
	{From: `^(text\.)?lm_head\.weight$`, To: checkpoint.Drop}, // the table of words again, and again
	{From: `^text\.(en|de)coder\.embed_tokens\.weight$`, To: checkpoint.Drop},
	{From: `^text\.final_logits_bias$`, To: checkpoint.Drop}, // a buffer that nothing trains: zeros
	{From: `^text\.shared\.weight$`, To: "text.words"},
	{From: `^text\.(en|de)coder\.embed_positions\.weight$`, To: "text.${1}coder.pos"},
	{From: `^text\.(en|de)coder\.layernorm_embedding\.`, To: "text.${1}coder.norm."},
	{From: `^text\.(en|de)coder\.layers\.`, To: "text.${1}coder.blocks."},
	{From: `\.self_attn\.([qkv])_proj\.`, To: ".attn.$1."},
	{From: `\.self_attn\.out_proj\.`, To: ".attn.o."},
	{From: `\.encoder_attn\.([qkv])_proj\.`, To: ".cross.$1."},
	{From: `\.encoder_attn\.out_proj\.`, To: ".cross.o."},
	{From: `\.self_attn_layer_norm\.`, To: ".norm1."},
	{From: `\.encoder_attn_layer_norm\.`, To: ".cross_norm."},
	{From: `\.final_layer_norm\.`, To: ".norm2."},
	{From: `\.fc1\.`, To: ".mlp.up."},
	{From: `\.fc2\.`, To: ".mlp.down."},
	{From: `^(.*)\.(?:window|channel)_attn\.qkv\.(\w+)$`, To: "$1.attn.q.$2|$1.attn.k.$2|$1.attn.v.$2"},
}
