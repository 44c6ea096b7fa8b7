package fovea_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea"
)

// TestOpensCachedModels: a model in the hub's cache opens by its name, at a revision, and nothing else does.
func TestOpensCachedModels(t *testing.T) {
	cache, commit := t.TempDir(), strings.Repeat("0a", 20)
	t.Setenv("HF_HUB_CACHE", cache)
	folder := filepath.Join(cache, "models--acme--eye")
	if err := os.CopyFS(filepath.Join(folder, "snapshots", commit), os.DirFS(filepath.Join("testdata", "fixtures", "parity", "vit"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "refs", "main"), []byte(commit), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, name := range []string{"acme/eye", "acme/eye@main", "acme/eye@" + commit} {
		p, err := fovea.Open(ctx, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := p.Card(); c.Name != name || c.Family != "ViTForImageClassification" {
			t.Errorf("%s: %+v", name, c)
		}
		_ = p.Close()
	}
	for name, hint := range map[string]string{"acme/eye@v2": "fovea pull acme/eye@v2; there is acme/eye", "acme/ear": "fovea pull acme/ear", "yolos": "fovea pull hustvl/yolos-small", "../eye": "", "nowhere": ""} {
		_, err := fovea.Open(ctx, name)
		var e *fovea.Error
		if !errors.As(err, &e) || e.Code != "model.missing" || !e.BadInput || e.Hint != hint {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
	if err := os.Remove(filepath.Join(folder, "snapshots", commit, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "snapshots", commit, "io.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := fovea.Open(ctx, "acme/eye"); fovea.Code(err) != "model.missing" || !strings.Contains(err.Error(), "model.safetensors is missing") {
		t.Errorf("half a model: %v", err)
	}
}
