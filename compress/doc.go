// Package compress makes models of the program's own kind smaller: Prune takes units out of their feed-forward layers, so that what
// is left is smaller and faster everywhere. Storing weights in fewer bits is the business of package checkpoint.
package compress
