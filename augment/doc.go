// Package augment transforms a picture together with everything that is known about it: what moves in the picture moves
// in the annotations, so that a model can be shown a new picture in every epoch and still be told the truth about it.
//
// A Pipeline, made from a Config, turns an Example into a square picture: one affine map (flip, scale, crop, aspect,
// rotation) resampled once, then colours. Its parts can be used alone: Geometric draws a Transform, a Transform moves
// pixels and annotations, Color changes pixels in place.
//
// Everything is a function of the arguments and the generator: the same seed gives the same bytes. All types are safe for
// use by several goroutines as long as each has its own generator.
//
// # What texts forbid
//
// Questions and captions speak about the whole picture, and a transform could make them lie. Three rules, each in one
// place, prevent that:
//   - Cropping (Geometric.Sample): a picture with questions or captions keeps everything that they may be about in view and
//     is not rotated. This is every object where all are boxed, and the whole picture elsewhere.
//   - Mirroring (mirrorable): "left of" and "right of" are swapped in texts where they plainly name a side. A picture whose
//     texts use the words otherwise ("what is left on the plate"), speak of writing or clocks, or whose labels name a side
//     is not mirrored.
//   - Colours (speaksOfColor): where texts or labels name colours, hue and saturation stay, and brightness and contrast
//     change little.
package augment
