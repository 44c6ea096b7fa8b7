// Package web is the playground: the page at / of fovea serve, on which people put pictures to the models without writing
// code. It is plain HTML, CSS and JavaScript modules, embedded as they are; there is no build step.
//
// The page talks to the server that it came from and to no one else, by the same paths as every client: a request of
// /v1/detect, /v1/segment, … for each task that is chosen, /v1/chat/completions for questions, /v1/explain for heat maps,
// and /v1/cards for what the models can do. Every object is asked for once, down to a low score, so that the threshold
// acts in the page.
//
// page/app has a file for each concern: picture.js and live.js bring pictures in, look.js asks, items.js makes of the
// answers what paint.js draws and results.js lists, chat.js, explain.js and export.js do what they say, notice.js tells
// of progress and failures, and main.js ties them together.
package web

import (
	"embed"
	"io/fs"
)

//go:embed page
var files embed.FS

// FS holds index.html and the files that it asks for.
func FS() fs.FS {
	sub, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return sub
}

// Policy is the Content-Security-Policy that the page is written for: nothing comes from, or goes to, another host, and
// neither inline scripts nor inline styles run. Pictures and videos that a visitor opens are blobs.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
	"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
