// Video4Linux as Swift can use it: the kernel's structures, its calls by number, and what its unions, packed structures and
// variadic functions hide.

#ifndef CV4L2_H
#define CV4L2_H

#include <errno.h>
#include <linux/videodev2.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

// Numbers of calls; those of the header are expressions that Swift does not see.
static const unsigned long VL2_QUERYCAP = VIDIOC_QUERYCAP;
static const unsigned long VL2_ENUM_FMT = VIDIOC_ENUM_FMT;
static const unsigned long VL2_ENUM_FRAMESIZES = VIDIOC_ENUM_FRAMESIZES;
static const unsigned long VL2_ENUM_FRAMEINTERVALS = VIDIOC_ENUM_FRAMEINTERVALS;
static const unsigned long VL2_S_FMT = VIDIOC_S_FMT;
static const unsigned long VL2_S_PARM = VIDIOC_S_PARM;
static const unsigned long VL2_REQBUFS = VIDIOC_REQBUFS;
static const unsigned long VL2_QUERYBUF = VIDIOC_QUERYBUF;
static const unsigned long VL2_QBUF = VIDIOC_QBUF;
static const unsigned long VL2_DQBUF = VIDIOC_DQBUF;
static const unsigned long VL2_STREAMON = VIDIOC_STREAMON;
static const unsigned long VL2_STREAMOFF = VIDIOC_STREAMOFF;

static const uint32_t VL2_CAPTURE = V4L2_CAP_VIDEO_CAPTURE;
static const uint32_t VL2_CAPTURE_PLANES = V4L2_CAP_VIDEO_CAPTURE_MPLANE;
static const uint32_t VL2_STREAMING = V4L2_CAP_STREAMING;
static const uint32_t VL2_HAS_DEVICE_CAPS = V4L2_CAP_DEVICE_CAPS;

static const uint32_t VL2_MJPEG = V4L2_PIX_FMT_MJPEG;
static const uint32_t VL2_JPEG = V4L2_PIX_FMT_JPEG;
static const uint32_t VL2_YUYV = V4L2_PIX_FMT_YUYV;
static const uint32_t VL2_NV12 = V4L2_PIX_FMT_NV12;

// ioctl(2), again where a signal came in between. 0, or an error number.
static inline int vl2_ioctl(int descriptor, unsigned long request, void *argument) {
  int result;
  do result = ioctl(descriptor, request, argument);
  while (result == -1 && errno == EINTR);
  return result == -1 ? errno : 0;
}

// A format of one memory plane, whichever of the two interfaces the driver speaks.
typedef struct {
  uint32_t width, height, pixelformat;
  // Bytes from one row to the next; 0 where there are no rows.
  uint32_t bytesperline;
  uint32_t sizeimage;
  uint32_t colorspace, encoding, quantization;
  // More than one cannot be read here.
  uint32_t planes;
} vl2_image_format;

static inline int vl2_has_planes(uint32_t type) { return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE; }

static inline struct v4l2_format vl2_format_wished(uint32_t type, vl2_image_format wish) {
  struct v4l2_format format;
  memset(&format, 0, sizeof format);
  format.type = type;
  if (vl2_has_planes(type)) {
    format.fmt.pix_mp.width = wish.width;
    format.fmt.pix_mp.height = wish.height;
    format.fmt.pix_mp.pixelformat = wish.pixelformat;
    format.fmt.pix_mp.field = V4L2_FIELD_ANY;
    format.fmt.pix_mp.num_planes = 1;
  } else {
    format.fmt.pix.width = wish.width;
    format.fmt.pix.height = wish.height;
    format.fmt.pix.pixelformat = wish.pixelformat;
    format.fmt.pix.field = V4L2_FIELD_ANY;
  }
  return format;
}

static inline vl2_image_format vl2_format_given(const struct v4l2_format *format) {
  vl2_image_format given;
  if (vl2_has_planes(format->type)) {
    const struct v4l2_pix_format_mplane *image = &format->fmt.pix_mp;
    given = (vl2_image_format){image->width, image->height, image->pixelformat, image->plane_fmt[0].bytesperline,
                               image->plane_fmt[0].sizeimage, image->colorspace, image->ycbcr_enc, image->quantization,
                               image->num_planes};
  } else {
    const struct v4l2_pix_format *image = &format->fmt.pix;
    given = (vl2_image_format){image->width, image->height, image->pixelformat, image->bytesperline, image->sizeimage,
                               image->colorspace, image->ycbcr_enc, image->quantization, 1};
    // Older drivers leave what stands behind `priv` as it was.
    if (image->priv != V4L2_PIX_FMT_PRIV_MAGIC) given.encoding = given.quantization = 0;
  }
  return given;
}

// A buffer with room for its planes. `vl2_buffer_prepare` has to be called where it lies: it holds its own address.
typedef struct {
  struct v4l2_buffer buffer;
  struct v4l2_plane planes[VIDEO_MAX_PLANES];
} vl2_buffer;

static inline void vl2_buffer_prepare(vl2_buffer *buffer, uint32_t type, uint32_t index) {
  memset(buffer, 0, sizeof *buffer);
  buffer->buffer.type = type;
  buffer->buffer.memory = V4L2_MEMORY_MMAP;
  buffer->buffer.index = index;
  if (vl2_has_planes(type)) {
    buffer->buffer.m.planes = buffer->planes;
    buffer->buffer.length = VIDEO_MAX_PLANES;
  }
}

// What a driver says of a buffer.
typedef struct {
  uint32_t index, flags;
  // Of the memory that can be mapped.
  uint32_t length, offset;
  // Bytes up to the picture's end, and those before its beginning.
  uint32_t used, skipped;
} vl2_buffer_facts;

static inline vl2_buffer_facts vl2_buffer_given(const vl2_buffer *buffer) {
  const struct v4l2_buffer *b = &buffer->buffer;
  vl2_buffer_facts facts = {b->index, b->flags, b->length, b->m.offset, b->bytesused, 0};
  if (vl2_has_planes(b->type)) {
    const struct v4l2_plane *plane = &buffer->planes[0];
    facts.length = plane->length;
    facts.offset = plane->m.mem_offset;
    facts.used = plane->bytesused;
    facts.skipped = plane->data_offset;
  }
  return facts;
}

#endif
