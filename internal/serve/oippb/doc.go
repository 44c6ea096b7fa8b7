// Package oippb is the Open Inference Protocol's gRPC service as generated code. Change oip.proto and run go generate, which
// needs neither protoc nor anything installed: _gen is a module of its own that names the generators' versions.
package oippb

//go:generate sh -c "cd _gen && go run . -dir .."
