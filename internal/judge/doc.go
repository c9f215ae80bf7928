// Command judge compares the backend's verdict on inputs with that of the real programs, for a catalogue of some hundred
// small variants of input: genomes, options, replicon tables, regions, proteins, profile HMMs and annotations in the forms
// that users have. README.md describes its use and its output.
package main
