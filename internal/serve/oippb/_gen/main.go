// Command gen writes the Go code of ../oip.proto without protoc: the file is compiled by protocompile and handed to the
// official generators, protoc-gen-go and protoc-gen-go-grpc, which go.mod names as tools at fixed versions.
package main

import (
	"bytes"
	"context"
	"flag"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "..", "folder of oip.proto, and of the code")
	flag.Parse()
	if err := run(*dir); err != nil {
		log.Fatal(err)
	}
}

func run(dir string) error {
	const file = "oip.proto"
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}}),
		SourceInfoMode: protocompile.SourceInfoStandard, // comments
	}
	files, err := c.Compile(context.Background(), file)
	if err != nil {
		return err
	}
	q := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{file}, Parameter: proto.String("paths=source_relative")}
	q.ProtoFile = append(q.ProtoFile, protoutil.ProtoFromFileDescriptor(files[0]))
	in, err := proto.Marshal(q)
	if err != nil {
		return err
	}
	for _, plugin := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
		cmd := exec.Command("go", "tool", plugin)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		var r pluginpb.CodeGeneratorResponse
		if err := proto.Unmarshal(out, &r); err != nil {
			return err
		}
		if r.Error != nil {
			log.Fatalf("%s: %s", plugin, *r.Error)
		}
		for _, f := range r.File {
			if err := os.WriteFile(filepath.Join(dir, f.GetName()), []byte(f.GetContent()), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
