// Package serve answers over HTTP what package fovea answers to Go programs, in the languages that existing clients speak:
// its own, OpenAI's, Ollama's, Moondream's, the Open Inference Protocol and Roboflow's.
//
// Behind all of them lies one path. A surface (native.go, openai.go, …) turns its request into a fovea.Request and pictures;
// ingest.go is the only place where bytes from outside become a picture; ask.go puts them to a model through the model's
// bounded queue (queue.go) behind a door that turns floods away (door.go), whose workers take what waits in batches (batch.go), find the encoded pictures in the cache
// (cache.go) or encode them in one pass, and answer; and the surface writes the result, or the fault (fault.go), in its own
// form. Nothing of a request outlives it but the encoded picture.
//
//	s, err := serve.New(serve.Config{Models: …})
//	err = s.Run(ctx, nil, listener) // until ctx ends; then it drains
package serve
