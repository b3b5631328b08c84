// A fixture toolkit: classes with VTK's names, as far as the native part asks for them, whose functions notice each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace toolkit {

extern std::atomic<std::uint64_t> overlaps; // found by the toolkit itself, without a sanitizer
extern std::atomic<std::uint64_t> works;
void work(int microseconds);

// What an object is changed and looked at by. The numbers that find overlaps order nothing (they are relaxed), so that
// ThreadSanitizer sees two calls at once as a race on `value`.
struct Witness {
    long value = 0;
    std::atomic<int> changing{0};
    std::atomic<int> looking{0};
};

class Changing {
public:
    explicit Changing(Witness& witness);
    ~Changing();
    Changing(Changing const&) = delete;

private:
    Witness& witness_;
};

class Looking {
public:
    explicit Looking(Witness& witness);
    ~Looking();
    Looking(Looking const&) = delete;

private:
    Witness& witness_;
};

} // namespace toolkit

class vtkObjectBase {
public:
    void Register(vtkObjectBase* owner);
    void UnRegister(vtkObjectBase* owner);

protected:
    virtual ~vtkObjectBase();
    virtual void collect();
    friend class vtkGarbageCollector;

private:
    std::atomic<int> references_{1};
};

class vtkGarbageCollector {
public:
    static void Collect(vtkObjectBase* root);
};

class vtkObject : public vtkObjectBase {
public:
    virtual std::uint64_t GetMTime();
    void Modified();
    toolkit::Witness witness;

protected:
    ~vtkObject() override;

private:
    std::uint64_t modified_ = 0;
};

// A callback of Python's: a list of all of them is protected by the GIL alone.
class vtkPythonCommand : public vtkObjectBase {
public:
    static vtkPythonCommand* make();
    static std::vector<vtkPythonCommand*>& all();

protected:
    ~vtkPythonCommand() override;
};

class vtkDataArray : public vtkObject {
public:
    unsigned long GetActualMemorySize() const;
    std::vector<long> values;
};

class vtkFieldData : public vtkObject {
public:
    class vtkAbstractArray* GetAbstractArray(int index);
    vtkDataArray* array = nullptr;
};

class vtkInformationDataObjectKey;
class vtkDataObject;

class vtkInformation : public vtkObject {
public:
    vtkDataObject* Get(vtkInformationDataObjectKey* key);
    vtkDataObject* data = nullptr;
};

class vtkDataObject : public vtkObject {
public:
    static vtkInformationDataObjectKey* DATA_OBJECT();
};

// Data with caches, and with pieces that a change replaces.
class vtkDataSet : public vtkDataObject {
public:
    vtkDataSet();
    std::uint64_t GetMTime() override;
    virtual void GetBounds(double bounds[6]);
    void change(int microseconds);
    void look(int microseconds);
    static void examine(vtkDataSet* data, int microseconds); // reached by a shim of a static function
    vtkFieldData* fields;

protected:
    ~vtkDataSet() override;

private:
    vtkObject* points_;
    double bounds_[6]{};
    std::uint64_t bounds_of_ = 0;
};

class vtkPolyData : public vtkDataSet {
public:
    long long GetNumberOfCells();
    void GetCellBounds(long long cell, double bounds[6]);

protected:
    ~vtkPolyData() override;

private:
    double* cells_ = nullptr; // a cache that is made anew
    std::uint64_t cells_of_ = 0;
};

class vtkAlgorithm : public vtkObject {
public:
    using Observer = void (*)(vtkAlgorithm* caller, void* data);

    int GetNumberOfInputPorts();
    int GetNumberOfInputConnections(int port);
    vtkAlgorithm* GetInputAlgorithm(int port, int index);
    int HasExecutive();
    int GetNumberOfOutputPorts();
    vtkInformation* GetOutputInformation(int port);

    void SetInputDataObject(vtkDataSet* data);
    void SetInputConnection(vtkAlgorithm* upstream);
    vtkDataSet* output() const { return static_cast<vtkDataSet*>(output_.data); }

    virtual int Update(int microseconds);
    virtual int Compute(int microseconds); // comes to no shim that Python's function is known to reach
    int compute_on_thread(int microseconds);
    int set(int value);
    void abort() { aborted_.store(true, std::memory_order_relaxed); }

    Observer observer = nullptr;
    void* observed = nullptr;
    vtkPythonCommand* command = nullptr;
    vtkAlgorithm* reader = nullptr; // it comes to this one's library

    vtkAlgorithm();

protected:
    ~vtkAlgorithm() override;
    void collect() override;
    virtual void use(vtkDataSet* input, int microseconds);
    std::vector<vtkAlgorithm*> inputs_;
    vtkInformation output_;
    std::atomic<bool> aborted_{false};
};

class vtkTrivialProducer : public vtkAlgorithm {
public:
    explicit vtkTrivialProducer(vtkDataSet* data);
    int Update(int microseconds) override;

protected:
    ~vtkTrivialProducer() override;
};

// It looks at what it is given: several may at once.
class vtkLookFilter : public vtkAlgorithm {
public:
    int Update(int microseconds) override;

protected:
    ~vtkLookFilter() override;
    void use(vtkDataSet* input, int microseconds) override;
};

class vtkChangeFilter : public vtkAlgorithm {
public:
    int Update(int microseconds) override;

protected:
    ~vtkChangeFilter() override;
    void use(vtkDataSet* input, int microseconds) override;
};

// Of a library that is not thread-safe.
class vtkHDFReader : public vtkAlgorithm {
public:
    int Update(int microseconds) override;

protected:
    ~vtkHDFReader() override;
};

class vtkExecutive : public vtkObject {
public:
    explicit vtkExecutive(vtkAlgorithm* algorithm) : algorithm_(algorithm) {}
    vtkAlgorithm* GetAlgorithm();
    virtual int Update(int microseconds);

private:
    vtkAlgorithm* algorithm_;
};
