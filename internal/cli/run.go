package cli

import (
	"context"
	"fmt"
	"strings"

	"fovea"
)

// run puts a request to every picture and shows the answers the way that the flags ask for: as lines of JSON or as text,
// and drawn into pictures.
func (a *app) run(ctx context.Context, o *pictureOptions, args []string, req fovea.Request, text func(*item)) error {
	if err := checkSources(args, o.allowURL); err != nil {
		return err
	}
	d, err := newDrawer(o.out, many(args))
	if err != nil {
		return err
	}
	p, err := a.open(ctx, o.model, args, fovea.WithPrecision(fovea.Precision(o.precision)))
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	return a.answer(ctx, p, o, args, req, text, d)
}

// answer is run with an open model and a place for drawings.
func (a *app) answer(ctx context.Context, p *fovea.Predictor, o *pictureOptions, args []string, req fovea.Request, text func(*item), d *drawer) error {
	if err := a.settleRequest(&req, p, o); err != nil {
		return err
	}
	first, several := true, many(args)
	show := func(it *item) error {
		if a.json {
			if err := a.printJSON(it.res); err != nil {
				return err
			}
		} else {
			if !first && several {
				fmt.Fprintln(a.out)
			}
			text(it)
		}
		first = false
		where, err := d.draw(it)
		if err != nil {
			return err
		}
		if where != "" && !a.quiet {
			a.drawnInto(where)
		}
		return nil
	}
	n, err := a.pictures(ctx, p, a.inputs(ctx, args, o), req, show, func(it *item) error { a.showFailure(it); return nil })
	if err != nil {
		return err
	}
	return n.outcome()
}

// settleRequest leaves out of a request what the model is not made for, where that is wanted, and checks the rest.
func (a *app) settleRequest(req *fovea.Request, p *fovea.Predictor, o *pictureOptions) error {
	if o.willing != nil {
		if err := o.willing(req, p.Card()); err != nil {
			return err
		}
	}
	if err := p.Check(*req); err != nil {
		return err
	}
	return a.checkWords(req, p.Card())
}

// drawnInto says where a picture was drawn.
func (a *app) drawnInto(path string) {
	fmt.Fprintf(a.err, "  %s %s\n", a.errStyle.paint(cyan, pad("drawn into", margin)), path)
}

// list splits "cat, traffic light,dog" into its entries; a flag that may be repeated gives several such texts.
func list(texts []string) (out []string) {
	for _, t := range texts {
		for _, e := range strings.Split(t, ",") {
			if e = strings.TrimSpace(e); e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}
