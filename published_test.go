package fovea_test

import (
	"context"
	"testing"

	"fovea"
)

// TestOpensPublishedFolders: a folder as the hub has it opens like any other, and says what it can do.
func TestOpensPublishedFolders(t *testing.T) {
	ctx := context.Background()
	img, err := fovea.Load("examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	vit, err := fovea.Open(ctx, "testdata/fixtures/parity/vit")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = vit.Close() }()
	if r, err := vit.Classify(ctx, img); err != nil || len(r) == 0 || r[0].Score <= 0 {
		t.Errorf("vit names the picture %v, %v", r, err)
	}
	if _, err := vit.Detect(ctx, img); err == nil {
		t.Error("vit detected objects, which it cannot")
	}
	yolos, err := fovea.Open(ctx, "testdata/fixtures/parity/yolos")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = yolos.Close() }()
	if _, err := yolos.Detect(ctx, img); err != nil {
		t.Errorf("yolos: %v", err)
	}
}
