// FreeType, opened when a label has letters that need a font: who has none does without, and building needs nothing of it.

#include "SystemSupport.h"

#include <dlfcn.h>
#include <string.h>

// The beginning of FT_FaceRec, up to what is used.
typedef struct {
  long num_faces, face_index, face_flags, style_flags, num_glyphs;
  char *family_name, *style_name;
  int num_fixed_sizes;
  void *available_sizes;
  int num_charmaps;
  void *charmaps;
  void *generic_data, *generic_finalizer;
  long bounds[4];
  unsigned short units_per_em;
  short ascender, descender, height, max_advance_width, max_advance_height, underline_position, underline_thickness;
  const void *glyph;
} face_record;

// FT_Bitmap.
typedef struct {
  unsigned rows, width;
  int pitch;
  const unsigned char *buffer;
  unsigned short num_grays;
  unsigned char pixel_mode, palette_mode;
  void *palette;
} bitmap_record;

// The beginning of FT_GlyphSlotRec.
typedef struct {
  void *library, *face, *next;
  unsigned glyph_index;
  void *generic_data, *generic_finalizer;
  long metrics[8], linear_advances[2], advance[2];
  unsigned format;
  bitmap_record bitmap;
  int bitmap_left, bitmap_top;
} glyph_record;

enum { LOAD_NO_HINTING = 2, LOAD_RENDER = 4, LOAD_NO_BITMAP = 8, PIXEL_MODE_GRAY = 2 };

static int find(void *handle, const char *name, void *function) {
  void *symbol = dlsym(handle, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

int vl2_freetype_open(const char *library, vl2_freetype *freetype) {
  memset(freetype, 0, sizeof *freetype);
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return 0;
  int (*init)(void **);
  return find(handle, "FT_Init_FreeType", &init) && find(handle, "FT_New_Face", &freetype->new_face) &&
         find(handle, "FT_Set_Pixel_Sizes", &freetype->set_size) &&
         find(handle, "FT_Get_Char_Index", &freetype->char_index) &&
         find(handle, "FT_Load_Glyph", &freetype->load_glyph) && find(handle, "FT_Done_Face", &freetype->done_face) &&
         find(handle, "FT_Done_FreeType", &freetype->done) && init(&freetype->library) == 0;
}

void vl2_freetype_close(vl2_freetype *freetype) {
  if (freetype->library) freetype->done(freetype->library);
  freetype->library = NULL;
}

void *vl2_font_open(const vl2_freetype *freetype, const char *path) {
  void *face;
  return freetype->new_face(freetype->library, path, 0, &face) == 0 ? face : NULL;
}

void vl2_font_close(const vl2_freetype *freetype, void *font) { freetype->done_face(font); }

int vl2_font_has(const vl2_freetype *freetype, void *font, uint32_t scalar) {
  return freetype->char_index(font, scalar) != 0;
}

int vl2_font_draw(const vl2_freetype *freetype, void *font, uint32_t scalar, uint32_t size, vl2_glyph *glyph) {
  unsigned index = freetype->char_index(font, scalar);
  // Pictures of single sizes, which some fonts have besides outlines, are not of the size that is wanted; without hinting
  // every version of FreeType draws the same.
  if (!index || freetype->set_size(font, 0, size) != 0 ||
      freetype->load_glyph(font, index, LOAD_RENDER | LOAD_NO_BITMAP | LOAD_NO_HINTING) != 0)
    return 0;
  const glyph_record *drawn = ((const face_record *)font)->glyph;
  const bitmap_record *bitmap = &drawn->bitmap;
  if (bitmap->rows && (bitmap->pixel_mode != PIXEL_MODE_GRAY || !bitmap->buffer || bitmap->pitch < 0)) return 0;
  *glyph = (vl2_glyph){.coverage = bitmap->buffer,
                       .width = bitmap->width,
                       .height = bitmap->rows,
                       .step = (uint32_t)bitmap->pitch,
                       .left = drawn->bitmap_left,
                       .top = drawn->bitmap_top,
                       .advance = (int32_t)((drawn->advance[0] + 32) >> 6)};
  return 1;
}
