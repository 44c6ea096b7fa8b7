package testmodel

import (
	"os"
	"testing"

	"fovea/model/unified"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := unified.Open(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if m.Config.Labels[0] != "circle" || m.Vocab.Tok.Size() > 512 {
		t.Errorf("the model knows %q and has %d pieces", m.Config.Labels, m.Vocab.Tok.Size())
	}
}
