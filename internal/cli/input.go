package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/internal/fetch"
)

// input is a picture that a command was given.
type input struct {
	name  string
	frame *int // of a video or an animation
	load  func(context.Context) (*imageproc.RGB, error)
}

var (
	pictureEndings = []string{".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
	videoEndings   = []string{".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".mjpeg", ".mjpg", ".3gp"}
)

// drawnEnding marks pictures that this program has drawn; a folder's are passed over.
const drawnEnding = dataset.DrawnEnding

func ends(name string, endings []string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(name)))
}

func isURL(arg string) bool { return strings.Contains(arg, "://") }

// checkSources refuses what no retry and no other input would make right, before any work is done.
func checkSources(args []string, allowURL bool) error {
	stdin := 0
	for _, arg := range args {
		if isURL(arg) && !allowURL {
			return usage("add --allow-url", "%s is a URL, and URLs are not fetched unless that is allowed", arg)
		}
		if arg == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return usage("", "standard input (-) is named %d times; it holds one picture", stdin)
	}
	return nil
}

// many reports whether arguments may stand for more than one picture.
func many(args []string) bool {
	if len(args) != 1 {
		return true
	}
	if args[0] == "-" || isURL(args[0]) {
		return false
	}
	info, err := os.Stat(args[0])
	return err != nil || info.IsDir() || ends(args[0], videoEndings) || ends(args[0], []string{".gif"})
}

// inputs lists the pictures that arguments stand for, in their order: files, folders (with all that is in them), patterns,
// standard input, URLs, and the frames of videos and animations. An argument that stands for nothing is an input that
// fails.
func (a *app) inputs(ctx context.Context, args []string, o *pictureOptions) iter.Seq[input] {
	return func(yield func(input) bool) {
		for _, arg := range args {
			for in := range a.expand(ctx, arg, o) {
				if !yield(in) {
					return
				}
			}
		}
	}
}

func (a *app) expand(ctx context.Context, arg string, o *pictureOptions) iter.Seq[input] {
	switch {
	case arg == "-":
		return one(input{name: "-", load: func(context.Context) (*imageproc.RGB, error) { return fovea.Decode(a.in) }})
	case isURL(arg):
		return one(input{name: arg, load: func(ctx context.Context) (*imageproc.RGB, error) { return download(ctx, arg) }})
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return folder(ctx, arg, o)
	case err != nil && strings.ContainsAny(arg, "*?["):
		return pattern(ctx, arg, o)
	}
	return file(ctx, arg, o)
}

// file is a picture, or the frames of a video or an animation.
func file(ctx context.Context, name string, o *pictureOptions) iter.Seq[input] {
	switch {
	case ends(name, videoEndings):
		return video(ctx, name, o.every)
	case ends(name, []string{".gif"}):
		return animation(name, o.every)
	}
	return one(input{name: name, load: func(context.Context) (*imageproc.RGB, error) { return fovea.Load(name) }})
}

// folder lists the pictures and videos in a folder and the folders in it, by name. Hidden files and pictures that this
// program has drawn are passed over.
func folder(ctx context.Context, root string, o *pictureOptions) iter.Seq[input] {
	return func(yield func(input) bool) {
		found, stop := false, errors.New("stop")
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				found = true
				if !yield(failing(path, &fovea.Error{Code: "image.unreadable", Err: err})) {
					return stop
				}
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case passedOver(root, path, d):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir():
				return nil
			}
			found = true
			for in := range file(ctx, path, o) {
				if !yield(in) {
					return stop
				}
			}
			return nil
		})
		if err == nil && !found {
			yield(failing(root, noPictures("the folder holds no picture", "pictures end in "+strings.Join(pictureEndings, " "))))
		}
	}
}

// passedOver says what in a folder is not looked at: what is hidden, drawn by this program, or no picture.
func passedOver(root, path string, d fs.DirEntry) bool {
	return path != root && strings.HasPrefix(d.Name(), ".") || !d.IsDir() && (strings.HasSuffix(path, drawnEnding) || !ends(path, pictureEndings) && !ends(path, videoEndings))
}

// pattern lists the files that a pattern matches, for shells that leave patterns alone.
func pattern(ctx context.Context, glob string, o *pictureOptions) iter.Seq[input] {
	return func(yield func(input) bool) {
		names, err := filepath.Glob(glob)
		if err != nil {
			yield(failing(glob, noPictures("the pattern is malformed", "a [ wants a ]")))
			return
		}
		if len(names) == 0 {
			yield(failing(glob, noPictures("no file matches the pattern", "check the path")))
			return
		}
		for _, name := range names {
			list := file(ctx, name, o)
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				list = folder(ctx, name, o)
			}
			for in := range list {
				if !yield(in) {
					return
				}
			}
		}
	}
}

func noPictures(what, hint string) error {
	return &fovea.Error{Code: "input.empty", BadInput: true, Hint: hint, Err: errors.New(what)}
}

func one(in input) iter.Seq[input] { return func(yield func(input) bool) { yield(in) } }

// failing is an input that cannot be read.
func failing(name string, err error) input {
	return input{name: name, load: func(context.Context) (*imageproc.RGB, error) { return nil, err }}
}

// loaded is a picture that is already in memory.
func loaded(name string, frame int, img *imageproc.RGB) input {
	return input{name: name, frame: &frame, load: func(context.Context) (*imageproc.RGB, error) { return img, nil }}
}

func download(ctx context.Context, url string) (*imageproc.RGB, error) {
	b, err := fetch.New().Get(ctx, url)
	if err != nil {
		return nil, &fovea.Error{Code: "url.failed", BadInput: errors.Is(err, fetch.ErrForbidden), Err: fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "fetch: "))}
	}
	return fovea.Decode(bytes.NewReader(b))
}
