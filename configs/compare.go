//go:build ignore

// Compare draws one measurement of several training runs into a picture:
//
//	go run configs/compare.go -metric "clothing class top1" -title "clothing" out.png "from scratch=runs/a" "from an encoder=runs/b"
package main

import (
	"flag"
	"log"
	"strings"

	"fovea/train"
)

func main() {
	log.SetFlags(0)
	metric, title := flag.String("metric", "", "name of the measurement in metrics.jsonl"), flag.String("title", "", "of the chart")
	flag.Parse()
	if flag.NArg() < 2 {
		log.Fatal(`usage: go run configs/compare.go -metric NAME OUT.png "name=FOLDER" …`)
	}
	var runs []train.Compared
	for _, a := range flag.Args()[1:] {
		name, dir, ok := strings.Cut(a, "=")
		if !ok {
			log.Fatalf("%q is not name=FOLDER", a)
		}
		runs = append(runs, train.Compared{Name: name, Dir: dir})
	}
	if err := train.Compare(flag.Arg(0), *title, *metric, runs...); err != nil {
		log.Fatal(err)
	}
}
