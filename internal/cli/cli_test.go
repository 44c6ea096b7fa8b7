package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"fovea/dataset/scenes"
	"fovea/internal/testmodel"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fovea": func() { os.Exit(Main()) }})
}

// tinyModel is a folder with a small random model, made once.
var tinyModel = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fovea-tiny")
	if err != nil {
		return "", err
	}
	return dir, testmodel.Write(dir)
})

func TestScripts(t *testing.T) {
	model, err := tinyModel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(model) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINY", model)
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GOMAXPROCS", "1")         // scripts run side by side; their threads would only wait for each other
			self, err := exec.LookPath("fovea") // the test binary under that name
			if err != nil {
				return err
			}
			e.Setenv("FOVEA", self)
			if err := os.Symlink(model, filepath.Join(e.WorkDir, "tiny")); err != nil {
				return err
			}
			return writePictures(filepath.Join(e.WorkDir, "pics"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "lines": lines, "schema": schemaCommand},
	})
}

// exits runs a command and checks its exit code: exits 42 fovea look bad.jpg
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var code interface{ ExitCode() int }
		if c, ok := err.(interface{ ExitCode() int }); ok {
			code = c
		} else {
			ts.Fatalf("%v", err)
		}
		got = code.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s\nstdout: %s\nstderr: %s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// lines checks the number of lines of a file: lines 3 stdout
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if n := bytes.Count([]byte(ts.ReadFile(args[1])), []byte("\n")); (fmt.Sprint(n) != args[0]) != neg {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[1], n, args[0], ts.ReadFile(args[1]))
	}
}

// writePictures makes the good and the bad inputs of the scripts.
func writePictures(dir string) error {
	for _, d := range []string{dir, filepath.Join(dir, "folder", "deeper"), filepath.Join(dir, "folder", ".hidden"), filepath.Join(dir, "nothing")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	ex, err := scenes.New(scenes.Config{Seed: 3, N: 1, Size: 96}).At(0, nil)
	if err != nil {
		return err
	}
	var jpg, pic bytes.Buffer
	if err := jpeg.Encode(&jpg, ex.Image, nil); err != nil {
		return err
	}
	if err := png.Encode(&pic, ex.Image); err != nil {
		return err
	}
	files := map[string][]byte{
		"a.jpg": jpg.Bytes(), "b.png": pic.Bytes(), "empty.jpg": nil, "cut.jpg": jpg.Bytes()[:jpg.Len()/2], "cut.png": pic.Bytes()[:pic.Len()/2],
		"text.jpg": []byte("this is no picture"), "bomb.png": pngHeader(40000, 40000), "header.png": pic.Bytes()[:20],
		"folder/one.jpg": jpg.Bytes(), "folder/deeper/two.png": pic.Bytes(), "folder/.hidden/three.jpg": jpg.Bytes(), "folder/notes.txt": []byte("hello"),
		"folder/one.fovea.png": pic.Bytes(), "nothing/notes.txt": []byte("hello"),
	}
	for name, m := range oddModes() {
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			return err
		}
		files[name+".png"] = b.Bytes()
	}
	if files["moving.gif"], err = moving(3); err != nil {
		return err
	}
	if files["still.gif"], err = moving(1); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// oddModes are pictures that are not plain RGB, and of odd sizes.
func oddModes() map[string]image.Image {
	fill := func(m interface {
		image.Image
		Set(x, y int, c color.Color)
	}) image.Image {
		b := m.Bounds()
		for y := range b.Dy() {
			for x := range b.Dx() {
				m.Set(x, y, color.NRGBA{uint8(3 * x), uint8(5 * y), 99, uint8(255 - x)})
			}
		}
		return m
	}
	r := image.Rect(0, 0, 33, 21)
	return map[string]image.Image{
		"grey": fill(image.NewGray(r)), "grey16": fill(image.NewGray16(r)), "alpha": fill(image.NewNRGBA(r)), "deep": fill(image.NewNRGBA64(r)),
		"palette": fill(image.NewPaletted(r, color.Palette{color.Black, color.White, color.NRGBA{255, 0, 0, 0}})),
		"dot":     fill(image.NewGray(image.Rect(0, 0, 1, 1))), "line": fill(image.NewGray(image.Rect(0, 0, 3000, 1))), "tower": fill(image.NewGray(image.Rect(0, 0, 1, 3000))),
	}
}

// moving is a GIF of so many frames.
func moving(frames int) ([]byte, error) {
	g := gif.GIF{}
	for i := range frames {
		m := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.Black, color.White})
		for k := range 50 {
			m.Pix[k*(i+1)] = 1
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 4)
	}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &g)
	return b.Bytes(), err
}

// pngHeader is the start of a PNG that claims a size.
func pngHeader(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
	return append(b, "\x00\x00\x00\x00IDAT"...)
}

// schemaCommand checks every line of a file of JSON against the contract: schema detect stdout
func schemaCommand(ts *testscript.TestScript, neg bool, args []string) {
	for i, line := range bytes.Split(bytes.TrimSpace([]byte(ts.ReadFile(args[1]))), []byte("\n")) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			ts.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		if err := checkSchema(args[0], v); (err != nil) != neg {
			ts.Fatalf("line %d: %v: %s", i+1, err, line)
		}
	}
}
