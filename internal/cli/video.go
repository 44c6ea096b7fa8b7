package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"strconv"
	"strings"

	"fovea"
	"fovea/imageproc"
)

// video lists every so many frames of a video, which the user's ffmpeg decodes: it writes them one after the other as
// portable pixmaps. ffmpeg may read that file and nothing else.
func video(ctx context.Context, name string, every int) iter.Seq[input] {
	return func(yield func(input) bool) {
		if _, err := exec.LookPath("ffmpeg"); err != nil {
			yield(failing(name, &fovea.Error{Code: "video.ffmpeg", Hint: "install ffmpeg, or convert the video to a GIF or to pictures",
				Err: errors.New("videos are decoded by ffmpeg, and there is none in PATH")}))
			return
		}
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		cmd := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", "file:"+name,
			"-an", "-vf", fmt.Sprintf("select=not(mod(n\\,%d))", every), "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-")
		var said bytes.Buffer
		cmd.Stderr = &capped{w: &said, left: 4 << 10}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			yield(failing(name, &fovea.Error{Code: "video.ffmpeg", Err: fmt.Errorf("start ffmpeg: %w", err)}))
			return
		}
		r := bufio.NewReaderSize(out, 1<<20)
		n := 0
		for ; ; n++ {
			img, ppmErr := readPPM(r)
			if ppmErr != nil {
				err = ppmErr
				break
			}
			if !yield(loaded(name, n*every, img)) {
				stop()
				_ = cmd.Wait()
				return
			}
		}
		failed := cmd.Wait()
		if ctx.Err() != nil || errors.Is(err, io.EOF) && failed == nil && n > 0 {
			return
		}
		yield(failing(name, videoError(n, said.String(), err)))
	}
}

func videoError(frames int, said string, err error) error {
	what := fmt.Sprintf("ffmpeg gave up after %d frames", frames)
	if frames == 0 {
		what = "ffmpeg finds no frame in it"
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(said), "\n"); line != "" {
		what += ": " + line
	} else if !errors.Is(err, io.EOF) {
		what += ": " + err.Error()
	}
	return &fovea.Error{Code: "video.corrupt", BadInput: true, Err: errors.New(what)}
}

// maxFramePixels bounds a video's frames as pictures are bounded.
const maxFramePixels = 64_000_000

// readPPM reads one binary portable pixmap, "P6 W H 255" and its pixels. io.EOF means that there is none left.
func readPPM(r *bufio.Reader) (*imageproc.RGB, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	var head [4]string
	for i := range head {
		word, err := ppmWord(r)
		if err != nil {
			return nil, fmt.Errorf("a frame's header is damaged: %w", err)
		}
		head[i] = word
	}
	w, errW := strconv.Atoi(head[1])
	h, errH := strconv.Atoi(head[2])
	if head[0] != "P6" || head[3] != "255" || errW != nil || errH != nil || w < 1 || h < 1 || w > maxFramePixels/h {
		return nil, fmt.Errorf("a frame with the header %q cannot be read", head)
	}
	img := imageproc.NewRGB(w, h)
	if _, err := io.ReadFull(r, img.Pix); err != nil {
		return nil, fmt.Errorf("a frame ends early: %w", io.ErrUnexpectedEOF)
	}
	return img, nil
}

// ppmWord reads a word of at most eight letters and the one space after it.
func ppmWord(r *bufio.Reader) (string, error) {
	var word []byte
	for {
		b, err := r.ReadByte()
		switch {
		case err != nil:
			return "", err
		case b == ' ' || b == '\n':
			return string(word), nil
		case len(word) == 8:
			return "", fmt.Errorf("%q is too long", word)
		}
		word = append(word, b)
	}
}

// capped keeps the first bytes of what is written to it.
type capped struct {
	w    io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if _, err := c.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
